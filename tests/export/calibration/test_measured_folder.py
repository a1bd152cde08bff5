# SPDX-License-Identifier: Apache-2.0
"""Measuring into a folder: after a cut, by several processes, and killed at any time, the features are those of one run."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from export.calibration import measured_folder
from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.calibration.measured_folder import MeasuringOptions, begin_folder, measure_into_folder
from export.errors import UsageError
from export.features.frames import Features
from export.frames.files import FrameFiles
from export.reporter import SilentReporter
from lsood_runtime import read_manifest
from tests.conftest import write_scenes

T = TypeVar("T")
COUNT = 21


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_scenes(folder, COUNT, seed=3)
    return folder


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_folder, "CHUNK", 4)


class _Cut(SilentReporter):
    """Cuts a run off after some frames."""

    def __init__(self, after: int) -> None:
        self.after = after

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:  # noqa: ARG002  as the protocol
        for i, item in enumerate(items):
            if i == self.after:
                raise KeyboardInterrupt
            yield item


def run(bundle: Path, frames: Path, path: Path, reporter: SilentReporter, workers: int = 1) -> Features:
    graphs, files = EvaluationGraphs(bundle, threads=1), FrameFiles([frames])
    folder = begin_folder(path, graphs, files)
    measure_into_folder(
        folder, graphs, files, MeasuringOptions(bundle, (frames,), threads=1, workers=workers), reporter
    )
    after = Features.collect(measure(graphs, [("after", files[0])]))
    assert folder.missing == []
    return Features.concatenate([folder.in_memory(), after])


def check_same_bits(got: Features, expected: Features) -> None:
    np.testing.assert_array_equal(got.names, expected.names)
    np.testing.assert_array_equal(got.score, expected.score)
    for key in expected.values:
        np.testing.assert_array_equal(got.values[key], expected.values[key])


@pytest.fixture(params=["fixed", "input"])
def any_bundle(request: pytest.FixtureRequest, bundle: Path, export_small: Callable[..., Path]) -> Path:
    """Noise of a bundle with masks as inputs is drawn frame by frame: what a cut run has drawn must be left out."""
    return bundle if request.param == "fixed" else export_small(masks="input")


def test_measure_into_folder_cut_at_any_frame_and_run_again_gives_the_bits_of_one_run(
    any_bundle: Path, frames: Path, tmp_path: Path
) -> None:
    whole = run(any_bundle, frames, tmp_path / "whole", SilentReporter())
    rng = random.Random(0)
    for i in range(3):
        path = tmp_path / str(i)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run(any_bundle, frames, path, _Cut(rng.randrange(1, 7)))
        check_same_bits(run(any_bundle, frames, path, SilentReporter()), whole)


def test_measure_into_folder_by_several_processes_gives_the_bits_of_one(
    any_bundle: Path, frames: Path, tmp_path: Path
) -> None:
    whole = run(any_bundle, frames, tmp_path / "whole", SilentReporter())
    check_same_bits(run(any_bundle, frames, tmp_path / "two", SilentReporter(), workers=2), whole)


class _Killing(SilentReporter):
    """Kills the processes that measure once the first frames are done."""

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:  # noqa: ARG002  as the protocol
        for i, item in enumerate(items):
            for child in multiprocessing.active_children() if i == 0 else ():
                child.kill()
            yield item


def test_measure_into_folder_whose_processes_are_killed_ends_in_one_line_and_goes_on(
    bundle: Path, frames: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"one was killed.* type the same command with fewer --workers$") as raised:
        run(bundle, frames, tmp_path / "killed", _Killing(), workers=2)
    assert raised.value.words == ("--workers", "1")
    assert "\n" not in str(raised.value)
    whole = run(bundle, frames, tmp_path / "whole", SilentReporter())
    check_same_bits(run(bundle, frames, tmp_path / "killed", SilentReporter()), whole)


def test_measure_into_folder_of_changed_frames_is_refused(bundle: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "frames", 5, seed=1)
    with pytest.raises(KeyboardInterrupt):
        run(bundle, tmp_path / "frames", tmp_path / "features", _Cut(4))
    (tmp_path / "frames" / "another.png").write_bytes(next((tmp_path / "frames").iterdir()).read_bytes())
    with pytest.raises(UsageError, match="differs in frames, frames_sha256: remove it"):
        run(bundle, tmp_path / "frames", tmp_path / "features", SilentReporter())


def test_measuring_options_without_a_process_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="--workers of at least 1, got 0"):
        MeasuringOptions(bundle, (), workers=0)


_IN_SMALL_FILES = """
from export.calibration import measured_folder
measured_folder.CHUNK = 2
from export.__main__ import main
main()
"""


@pytest.mark.slow
def test_calibrate_command_killed_at_random_times_writes_the_bundle_of_one_run(
    bundle: Path, frames: Path, tmp_path: Path
) -> None:
    def command(name: str) -> list[str]:
        paths = ["--save-features", str(tmp_path / name), "--out", str(tmp_path / f"{name}-bundle")]
        return [
            *(sys.executable, "-c", _IN_SMALL_FILES, "calibrate", str(bundle), "--frames", str(frames)),
            *("--false-alarm-rate", "0.2", "--threads", "1", *paths),
        ]

    started = time.monotonic()
    subprocess.run(command("whole"), check=True, capture_output=True)
    took, rng = time.monotonic() - started, random.Random(0)
    for _ in range(6):
        process = subprocess.Popen(command("cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=took * rng.uniform(0.2, 0.9))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    done = subprocess.run([*command("cut"), "--overwrite"], check=True, capture_output=True, text=True)
    assert done.returncode == 0
    whole, cut = tmp_path / "whole-bundle", tmp_path / "cut-bundle"
    scores = []
    for folder in (whole, cut):
        manifest = read_manifest(folder)
        scores.append((manifest.calibration.scores, dict(manifest.operating_points)))
    assert scores[0] == scores[1]


def test_row_bytes_of_a_bundle_are_those_of_the_features_that_it_gives(any_bundle: Path, frames: Path) -> None:
    graphs = EvaluationGraphs(any_bundle, threads=1)
    features = Features.collect(measure(graphs, [("frame", FrameFiles([frames])[0])]))
    assert graphs.row_bytes == sum(rows.astype(np.float32).nbytes for rows in features.values.values())


def test_measure_into_folder_without_room_for_the_features_is_refused_before_a_frame_is_measured(
    bundle: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = os.statvfs(tmp_path)
    needed = disk.f_bavail * disk.f_frsize // COUNT + 1
    monkeypatch.setattr(EvaluationGraphs, "row_bytes", needed)
    with pytest.raises(UsageError, match=r"MB of free space for .*features, got .* MB: make room, and run it again$"):
        run(bundle, frames, tmp_path / "features", _Cut(0))
