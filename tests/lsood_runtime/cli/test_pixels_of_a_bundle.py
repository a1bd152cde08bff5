# SPDX-License-Identifier: Apache-2.0
"""What was stated of images at calibration holds in the vehicle without a flag, and a flag goes before it."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsood_runtime import BundleError, read_manifest
from lsood_runtime._bundle.records import PixelsRecord
from lsood_runtime._cli.arguments import pixel_rules
from lsood_runtime._cli.main import build_parser, run
from tests.lsood_runtime.cli.test_run_ends import rows
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, write_toy_bundle
from tests.paths import ROOT


def write_images(folder: Path) -> Path:
    """Colours and grey, of 8 bits and of 12 in 16."""
    folder.mkdir()
    rng = np.random.default_rng(4)
    for bits, dtype in ((8, np.uint8), (12, np.uint16)):
        for name, shape in (("colour", (HEIGHT, WIDTH, 3)), ("grey", (HEIGHT, WIDTH))):
            cv2.imwrite(str(folder / f"{name}_{bits}.png"), rng.integers(1, 2**bits, shape).astype(dtype))
    return folder


def flags_of(stated: PixelsRecord) -> list[str]:
    words = ["--grey"] if stated.grey else []
    return words + (["--bits", str(stated.bits)] if stated.bits else [])


RECORDS = st.builds(PixelsRecord, grey=st.booleans(), bits=st.sampled_from([None, 12, 13, 16]))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recorded=RECORDS, stated=RECORDS, command=st.sampled_from(["score", "watch"]))
def test_run_over_a_bundle_that_records_pixels_reads_as_with_the_flags(
    toy_bundle: Path, tmp_path: Path, recorded: PixelsRecord, stated: PixelsRecord, command: str
) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    (folder / "bundle").mkdir()
    pixels: dict[str, Any] = {"grey": recorded.grey, "bits": recorded.bits, "encodings": [], "yuv": None}
    bundle, images = write_toy_bundle(folder / "bundle", pixels=pixels), write_images(folder / "images")
    together = PixelsRecord(grey=stated.grey or recorded.grey, bits=stated.bits or recorded.bits)
    run([command, str(bundle), str(images), "--out", str(folder / "a.jsonl"), *flags_of(stated)])
    run([command, str(toy_bundle), str(images), "--out", str(folder / "b.jsonl"), *flags_of(together)])
    found, expected = (
        [(row["frame"], row["score"], row["state"]) for row in rows(folder / f"{x}.jsonl")] for x in "ab"
    )
    assert found == expected
    assert (
        sum(state != "invalid" for _, _, state in found)
        == {(0, 0): 1, (1, 0): 2, (0, 1): 2, (1, 1): 4}[together.grey, together.bits is not None]
    )


def options(*words: str) -> Any:
    return build_parser().parse_args(["score", "bundle", "x.png", *words])


def test_pixel_rules_of_a_flag_go_before_those_of_the_bundle() -> None:
    recorded = PixelsRecord(bits=12, encodings=("rgb8",), yuv="bt709")
    rules = pixel_rules(options("--bits", "16", "--encoding", "bgr8", "--yuv", "bt601"), recorded)
    assert (rules.bits, rules.encodings, rules.yuv, rules.grey) == (16, ("bgr8", "rgb8"), "bt601", False)
    rules = pixel_rules(options(), recorded)
    assert (rules.bits, rules.encodings, rules.yuv, rules.grey) == (12, ("rgb8",), "bt709", False)


@pytest.mark.parametrize("recorded", [PixelsRecord(yuv="bt2020"), PixelsRecord(encodings=("16uc1",))])
def test_pixel_rules_of_a_newer_bundle_are_refused(recorded: PixelsRecord) -> None:
    with pytest.raises(BundleError, match="the manifest's field pixels cannot be used: expected"):
        pixel_rules(options(), recorded)


@pytest.mark.parametrize("command", ["score", "watch"])
def test_run_over_a_newer_bundle_is_refused_and_leaves_no_file(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bundle").mkdir()
    pixels: dict[str, Any] = {"grey": False, "bits": None, "encodings": [], "yuv": "bt2020"}
    bundle, images = write_toy_bundle(tmp_path / "bundle", pixels=pixels), write_images(tmp_path / "images")
    (tmp_path / "out").mkdir()
    assert run([command, str(bundle), str(images), "--out", str(tmp_path / "out" / "a.csv")]) == 2
    assert "lsood: error: the manifest's field pixels cannot be used: expected YUV of bt601" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("bits", [8, 17, 0])
def test_manifest_with_impossible_bits_is_refused(tmp_path: Path, bits: int) -> None:
    pixels = {"grey": True, "bits": bits, "encodings": [], "yuv": None}
    with pytest.raises(BundleError, match=r"pixels\.bits to be 9 to 16, or null, got"):
        read_manifest(write_toy_bundle(tmp_path, pixels=pixels))


@pytest.mark.parametrize("folder", sorted((ROOT / "tests" / "data" / "bundles").iterdir()), ids=lambda path: path.name)
def test_manifest_without_pixels_states_nothing(folder: Path) -> None:
    assert read_manifest(folder).pixels == PixelsRecord()


def test_inspect_prints_how_images_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    pixels = {"grey": True, "bits": 12, "encodings": ["bgr8"], "yuv": "bt709-full"}
    assert run(["inspect", str(write_toy_bundle(tmp_path, pixels=pixels))]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("images read"))
    for words in ("grey ones as colour", "12 of 16 bits", "bgr8 where channels have no names", "YUV in bt709-full"):
        assert words in line
