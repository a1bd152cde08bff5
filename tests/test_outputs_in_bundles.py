# SPDX-License-Identifier: Apache-2.0
"""No command writes into a bundle, or over what it reads: the next one would refuse the bundle, or miss its input."""

import importlib
from pathlib import Path

import pytest

from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import write_toy_bundle
from tests.lsood_runtime.select.rows import make_rows, write_csv
from tests.signing_keys import write_keys

_FRAMES = ["--frames", "FRAMES"]
INTO_A_BUNDLE: dict[str, list[str]] = {
    "score": ["lsood", "score", "OWN", "FRAMES/0.png", "--out", "OTHER/s.csv"],
    "score into its own": ["lsood", "score", "OWN", "FRAMES/0.png", "--out", "OWN/s.mcap"],
    "watch": ["lsood", "watch", "OWN", "FRAMES/0.png", "--timeline", "OTHER/t.png"],
    "thumbnails": ["lsood", "watch", "OWN", "FRAMES/0.png", "--thumbnails", "OTHER/t.png"],
    "maps": ["lsood", "score", "OWN", "FRAMES/0.png", "--maps", "OTHER/maps"],
    "select": ["lsood", "select", "ROWS", "--budget", "2", "--out", "OTHER/pick.csv"],
    "certify": ["lsood", "certify", "OWN", "--provider", "cpu", *_FRAMES, "--out", "OTHER/c.json"],
    "triton": ["lsood", "triton", "OWN", "OTHER/models"],
    "export": ["export", "--ckpt", "CKPT", *_FRAMES, "--mc-samples", "8", "--out", "OTHER/new", "--quiet"],
    "calibrate": ["calibrate", "OWN", *_FRAMES, "--out", "OTHER/new", "--quiet"],
    "features": ["calibrate", "OWN", *_FRAMES, "--out", "NEW", "--save-features", "OTHER/f.npz", "--quiet"],
    "features in a folder": ["calibrate", "OWN", *_FRAMES, "--out", "NEW", "--save-features", "OTHER/f", "--quiet"],
    "evaluate": ["evaluate", "OWN", "--ind", "FRAMES", "--synthetic", "fog", "--report", "OTHER/report", "--quiet"],
    "benchmark": ["benchmark", "OWN", "--root", "FRAMES", "--ind", "acdc", "--out", "OTHER/b", "--quiet"],
    "evidence": ["evidence", "OWN", "--out", "OTHER/pack", "--quiet"],
    "search": ["search", "--ckpt", "CKPT", *_FRAMES, "--samples", "8", "--out", "OTHER/s.csv", "--quiet"],
}


def call(words: list[str]) -> int:
    """Run a command in this process, and give its exit code."""
    if words[0] == "lsood":
        return run(words[1:])
    code: int = importlib.import_module(f"export.cli.{words[0]}").main(words[1:])
    return code


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", INTO_A_BUNDLE)
def test_command_does_not_write_into_a_bundle(
    name: str,
    linked: bool,
    frames: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for folder in ("own", "other"):
        (tmp_path / folder).mkdir()
    own = write_answers_bundle(tmp_path / "own", with_map=True)
    other = write_toy_bundle(tmp_path / "other")
    (tmp_path / "link").symlink_to(other)
    places = {"OWN": own, "OTHER": tmp_path / "link" if linked else other, "NEW": tmp_path / "new"}
    places["ROWS"] = write_csv(tmp_path / "rows.csv", make_rows(9, 0))
    words = list(INTO_A_BUNDLE[name])
    for key, path in {**places, "FRAMES/0.png": next(frames.iterdir()), "FRAMES": frames, "CKPT": checkpoint}.items():
        words = [word.replace(key, str(path)) for word in words]
    before = contents(tmp_path)
    assert call(words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "expected a place outside the bundle" in said
    assert contents(tmp_path) == before


def test_search_does_not_replace_what_it_reads(
    frames: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.ckpt"
    own.write_bytes(checkpoint.read_bytes())
    words = ["search", "--ckpt", str(own), "--frames", str(frames), "--samples", "8", "--out", str(own), "--quiet"]
    assert call(words) == 2
    assert "expected another file than those that are read" in " ".join(capsys.readouterr().err.split())
    assert own.read_bytes() == checkpoint.read_bytes()


def test_sign_does_not_replace_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    bundle = write_toy_bundle(tmp_path / "own")
    (bundle / "model.sig").write_text("a key")
    assert run(["sign", str(bundle), "--key", str(bundle / "model.sig")]) == 2
    assert "expected the key outside the bundle" in capsys.readouterr().err
    assert (bundle / "model.sig").read_text() == "a key"


def test_score_does_not_replace_its_key(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    bundle = write_toy_bundle(tmp_path / "own")
    private, public = write_keys(tmp_path)
    assert run(["sign", str(bundle), "--key", str(private)]) == 0
    key = public.rename(tmp_path / "key.csv")
    contents = key.read_bytes()
    words = ["score", str(bundle), str(next(frames.iterdir())), "--public-key", str(key), "--out", str(key)]
    assert run(words) == 2
    assert "expected another file than those that are read" in capsys.readouterr().err
    assert key.read_bytes() == contents
