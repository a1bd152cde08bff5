# SPDX-License-Identifier: Apache-2.0
"""A bundle of which any byte is changed is refused, and so is another one than the caller expects."""

import hashlib
import json
import os
import pickle
import random
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lsood_runtime import SCHEMA, BundleError, Manifest, OoDMonitor, ScoreHistogram, read_manifest
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import edit_manifest, random_frames, seal, toy_manifest
from tests.paths import FROZEN_FUSED_BUNDLE, ROOT

FROZEN_TODAY = ROOT / "tests" / "data" / "bundles" / f"schema-{SCHEMA}"


@pytest.mark.parametrize(
    ("name", "step"),
    [("manifest.json", 11), pytest.param("manifest.json", 1, marks=pytest.mark.slow), ("manifest.sha256", 1)],
)
def test_bundle_with_any_byte_of_the_manifest_or_its_digest_changed_is_refused(
    toy_bundle: Path, name: str, step: int
) -> None:
    """Of the manifest every eleventh byte, and each one beside the slow tests."""
    rng, contents = random.Random(0), (toy_bundle / name).read_bytes()
    for place in range(0, len(contents), step):
        changed = bytearray(contents)
        changed[place] ^= rng.randrange(1, 256)
        (toy_bundle / name).write_bytes(changed)
        with pytest.raises(BundleError, match=r"expected manifest\.sha256 to be the line that sha256sum prints"):
            read_manifest(toy_bundle)
    (toy_bundle / name).write_bytes(contents)
    read_manifest(toy_bundle)


def test_bundle_with_any_byte_of_any_file_changed_is_refused(tmp_path: Path) -> None:
    """Of each file of a real bundle 40 places, the first and the last among them."""
    folder = Path(shutil.copytree(FROZEN_TODAY, tmp_path / "monitor"))
    rng = random.Random(1)
    for path in sorted(folder.iterdir()):
        contents = path.read_bytes()
        for place in (0, len(contents) - 1, *(rng.randrange(len(contents)) for _ in range(38))):
            changed = bytearray(contents)
            changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            with pytest.raises(BundleError):
                open_bundle(folder)
        for other in (contents + b"\n", contents[:-1], b""):
            path.write_bytes(other)
            with pytest.raises(BundleError):
                open_bundle(folder)
        path.write_bytes(contents)
    open_bundle(folder)


@pytest.mark.parametrize("ending", ["\r\n", "", "\n\n", "\n# by hand\n"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_digest_file_of_another_form_is_refused(toy_bundle: Path, ending: str, case: Callable[[str], str]) -> None:
    line = (toy_bundle / "manifest.sha256").read_text().removesuffix("\n")
    (toy_bundle / "manifest.sha256").write_bytes((case(line[:64]) + line[64:] + ending).encode())
    with pytest.raises(BundleError, match=r"manifest\.sha256"):
        read_manifest(toy_bundle)


def test_expected_digest_covers_the_whole_bundle(toy_bundle: Path) -> None:
    digest = hashlib.sha256((toy_bundle / "manifest.json").read_bytes()).hexdigest()
    for expected in (digest, digest.upper()):
        with OoDMonitor(toy_bundle, expected_sha256=expected) as monitor:
            assert monitor.manifest == read_manifest(toy_bundle, expected_sha256=expected)
    (toy_bundle / "README.md").write_text("another card")
    seal(toy_bundle, toy_manifest())
    OoDMonitor(toy_bundle).close()
    for read in (OoDMonitor, read_manifest, open_bundle):
        with pytest.raises(BundleError, match=f"has sha256 {digest[:12]}..., got (?!{digest[:12]})"):
            read(toy_bundle, expected_sha256=digest)


@pytest.mark.parametrize("wrong", ["", "abc", "0" * 63, "g" * 64, "0" * 65, 0, b"0" * 64])
def test_expected_digest_that_is_none_is_a_value_error(toy_bundle: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"expected a sha256 of 64 hexadecimal digits, got .*lsood inspect"):
        OoDMonitor(toy_bundle, expected_sha256=wrong)


def test_commands_with_an_expected_digest_refuse_another_bundle(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    Image.fromarray(random_frames(1, 0)[0]).save(tmp_path / "frame.png")
    frame = str(tmp_path / "frame.png")
    assert run(["inspect", str(toy_bundle)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("manifest ")]
    digest = re.findall(r"[0-9a-f]{64}", line)[0]
    assert line.endswith(f" {digest}, as manifest.sha256 states")
    assert run(["inspect", str(toy_bundle), "--json"]) == 0
    assert capsys.readouterr().err == f"manifest sha256 {digest}\n"
    assert run(["selftest", str(toy_bundle), "--expected-sha256", digest]) == 0
    for command in (["inspect"], ["selftest"], ["score", frame], ["watch", frame]):
        words = [command[0], str(toy_bundle), *command[1:], "--expected-sha256", "1" * 64]
        assert run(words) == 2
        assert "expected the bundle whose manifest has sha256 1111" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(["inspect", str(toy_bundle), "--expected-sha256", "xyz"])
    assert "expected 64 hexadecimal digits, got 'xyz'" in capsys.readouterr().err


def test_monitor_pickled_takes_no_other_bundle(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        copied = pickle.dumps(monitor)
    pickle.loads(copied).close()
    edit_manifest(toy_bundle, lambda manifest: manifest.update(name="Another"))
    OoDMonitor(toy_bundle).close()
    with pytest.raises(BundleError, match="expected the bundle whose manifest has sha256"):
        pickle.loads(copied)


def test_bundle_with_a_file_that_the_manifest_does_not_record_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    for name in ("monitor.onnx", ".hidden", "weights.bin"):
        (toy_bundle / name).write_bytes(b"")
        with pytest.raises(BundleError, match=f"the files that its manifest records and no other, got '{name}'"):
            OoDMonitor(toy_bundle)
        (toy_bundle / name).unlink()
    (toy_bundle / "model.sig").write_text("{}")
    OoDMonitor(toy_bundle).close()
    old = Path(shutil.copytree(FROZEN_FUSED_BUNDLE, tmp_path / "old"))
    (old / "notes.txt").write_text("as before")
    OoDMonitor(old).close()


def test_bundle_of_today_that_says_it_is_an_old_one_is_still_compared_with_its_digest(toy_bundle: Path) -> None:
    text = (toy_bundle / "manifest.json").read_text()
    (toy_bundle / "manifest.json").write_text(text.replace(f'"schema": {SCHEMA}', '"schema": 3'))
    with pytest.raises(BundleError, match=r"expected manifest\.sha256 to be the line that sha256sum prints"):
        OoDMonitor(toy_bundle)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"schema": 4, "schema": 3}', "schema"),
        ('{"schema": 4, "input": {"channels": "rgb", "frame_width": 1, "channels": "bgr"}}', "channels"),
        ('{"schema": 4, "config": [{"a": 1, "\\u0061": 2}]}', "a"),
    ],
)
def test_manifest_with_a_name_that_stands_twice_is_refused(text: str, name: str) -> None:
    with pytest.raises(BundleError, match=f"the name '{name}' stands twice in one object"):
        Manifest.from_json(text)


def test_histogram_with_a_name_that_stands_twice_is_refused(toy_bundle: Path) -> None:
    calibration = read_manifest(toy_bundle).calibration
    line = ScoreHistogram(calibration).to_json()
    ScoreHistogram.from_json(line, calibration)
    twice = line.replace('{"calibration"', '{"counts": [], "calibration"')
    assert json.loads(twice) == json.loads(line)
    for wrong in (twice, "[" * 10_000):
        with pytest.raises(BundleError, match="expected a histogram of scores as JSON"):
            ScoreHistogram.from_json(wrong, calibration)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "golden.npz", "segmentation.onnx"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "sparse"])
def test_bundle_with_no_regular_file_in_place_of_one_is_refused_unread(
    toy_bundle: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy_bundle)  # the name of a socket is short
    Path(name).unlink()
    if kind == "fifo":
        os.mkfifo(name)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    elif kind == "folder":
        Path(name).mkdir()
    else:
        with Path(name).open("wb") as file:
            file.truncate(64 * 2**30)
    with pytest.raises(BundleError, match=re.escape(name)):
        OoDMonitor(toy_bundle)
