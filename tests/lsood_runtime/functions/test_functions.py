# SPDX-License-Identifier: Apache-2.0
"""What the functions of ``lsood``'s commands refuse; that they give what the commands give is compared beside the page."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lsood_runtime import BundleError, FrameError, MediaError, State
from lsood_runtime.functions import (
    certify_provider,
    compare_bundles,
    score_files,
    sign_bundle,
    summarise_rows,
    verify_bundle,
    watch_files,
    worse_figures,
    write_triton_repository,
)
from tests.lsood_runtime.conftest import random_frames, write_toy_bundle
from tests.signing_keys import write_keys


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "toy").mkdir()
    return write_toy_bundle(tmp_path / "toy")


@pytest.fixture
def drive(tmp_path: Path, toy: Path) -> Path:
    """Three frames of which the second is cut off."""
    folder = tmp_path / "drive"
    folder.mkdir()
    for i, frame in enumerate(random_frames(3, 5)):
        Image.fromarray(frame).save(folder / f"{i}.png")
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_frame_that_cannot_be_read_is_invalid_or_refused(toy: Path, drive: Path) -> None:
    given: dict[str, Any] = {"self_test": False}
    states = [verdict.state for _, verdict in score_files(toy, drive, **given)]
    assert [state is State.INVALID for state in states] == [False, True, False]
    followed = [result.verdict.state for _, result in watch_files(toy, [drive], "1of1", **given)]
    assert followed == states
    for of in (score_files(toy, drive, strict=True, **given), watch_files(toy, drive, "1of1", strict=True, **given)):
        with pytest.raises(MediaError, match=r"1\.png"):
            list(of)
    for compare in (lambda: compare_bundles(toy, toy, drive), lambda: certify_provider(toy, drive, ["cpu"], rounds=1)):
        with pytest.raises((MediaError, FrameError), match=r"1\.png"):
            compare()


def test_source_that_ends_early_is_told_at_the_end(toy: Path, drive: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"\x89MCAP0\r\n")
    got = score_files(toy, [drive / "0.png", broken], self_test=False)
    assert next(got)[1].state is not State.INVALID
    with pytest.raises(MediaError, match=r"broken\.mcap"):
        list(got)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda toy: list(score_files(toy, "nowhere/")), "nowhere"),
        (lambda toy: list(score_files(toy, "https://example.org/a.mp4")), "got the address"),
        (lambda toy: list(watch_files(toy, "camera:0")), "expected files, got camera:0"),
        (lambda toy: compare_bundles(toy, toy, ["nowhere/"]), "nowhere"),
        (lambda toy: worse_figures(toy / "manifest.json", toy / "manifest.json"), "certificate"),
        (lambda toy: write_triton_repository(toy, toy), "which holds something"),
        (lambda toy: summarise_rows(toy, [toy / "rows.csv"], "car"), "rows.csv"),
    ],
)
def test_files_that_cannot_be_used_are_refused(call: Callable[[Path], object], message: str, toy: Path) -> None:
    with pytest.raises(MediaError, match=message):
        call(toy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda toy: list(watch_files(toy, toy, "3of")), "3of"),
        (lambda toy: certify_provider(toy, [], ["cpu"], rounds=0), "rounds: expected a whole number from 1 to"),
        (
            lambda toy: certify_provider(toy, [], ["cpu"], max_flips=1.5),
            "max_flips: expected a share from 0 to 1, got 1.5",
        ),
        (lambda toy: write_triton_repository(toy, "x", name="a b"), "name: expected letters"),
        (
            lambda toy: write_triton_repository(toy, "x", max_batch=0),
            "max_batch: expected a whole number from 1 to 1024",
        ),
        (lambda toy: write_triton_repository(toy, "x", batch_delay_us=-1), "batch_delay_us: expected microseconds"),
        (lambda toy: write_triton_repository(toy, "x", provider="tpu"), "provider: expected cpu or cuda, got 'tpu'"),
        (lambda toy: summarise_rows(toy, [], " "), "vehicle: expected the name of a vehicle"),
    ],
)
def test_values_that_cannot_be_are_refused(call: Callable[[Path], object], message: str, toy: Path) -> None:
    with pytest.raises(ValueError, match=message):
        call(toy)


def test_frames_per_second_that_cannot_be_are_refused(toy: Path, drive: Path) -> None:
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frames_per_second: expected a number above 0, got"):
            list(score_files(toy, drive, frames_per_second=rate, self_test=False))


def test_bundle_that_was_changed_is_refused(toy: Path) -> None:
    digest = verify_bundle(toy).sha256
    assert verify_bundle(toy, expected_sha256=digest).manifest == verify_bundle(toy).manifest
    with pytest.raises(BundleError, match="sha256"):
        verify_bundle(toy, expected_sha256="0" * 64)
    (toy / "segmentation.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match=r"segmentation\.onnx"):
        verify_bundle(toy)


def test_encrypted_key_without_its_password_is_refused(toy: Path, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path, password=b"secret")
    with pytest.raises(BundleError, match=r"expected the password of the key in .* give password"):
        sign_bundle(toy, private)
    assert sign_bundle(toy, private, password="secret") == len(verify_bundle(toy, public_key=public).manifest.files) + 2


def test_import_of_the_functions_loads_no_reader_of_files() -> None:
    readers = "{'PIL', 'av', 'cv2', 'matplotlib', 'pyarrow', 'cryptography'}"
    code = f"import sys, lsood_runtime.functions; print({readers} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()"]
