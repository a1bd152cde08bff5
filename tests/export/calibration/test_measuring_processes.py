# SPDX-License-Identifier: Apache-2.0
"""Frames that are made and measured by several processes have the rows of one process, to the last bit."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.bundle.renewed_answers import _of_frames
from export.calibration.degraded_rows import Labels, measure_degraded
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.measured_folder import MeasuringOptions
from export.calibration.measuring import Measure, Spread, one_process
from export.calibration.measuring_processes import SeveralProcesses
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.reporter import SILENT

COUNT = 3


def _drives(indices: NDArray[np.int64]) -> list[str]:
    return [f"drive {index}" for index in indices]


@pytest.mark.parametrize("masks", [pytest.param("fixed", marks=pytest.mark.slow), "input"])
def test_degraded_rows_by_several_processes_are_those_of_one_and_noise_goes_on_behind_them(
    masks: str, bundle: Path, frames: Path, export_small: Callable[..., Path]
) -> None:
    """Noise of a bundle with masks as inputs is drawn pass by pass: each must be that of its place."""
    folder, paths = bundle if masks == "fixed" else export_small(masks=masks), tuple(sorted(frames.iterdir()))[:COUNT]
    rows = []
    for workers in (1, 2):
        graphs, files = EvaluationGraphs(folder, threads=1), FrameFiles(paths)
        graphs(files[0])  # as a search for the detector before would
        how = partial(_of_frames, graphs.available)
        options = MeasuringOptions(folder, paths, threads=1, workers=workers)
        spread: Spread = one_process if workers == 1 else SeveralProcesses(options, graphs, how)
        fitted = np.arange(COUNT)
        found = measure_degraded(files, fitted, _drives, partial(how, graphs), Labels(), 3, SILENT, (), spread)
        rows.append((found, graphs(files[0]).values, graphs.passes))
    (one, after, passes), (several, after_several, several_passes) = rows
    assert passes == several_passes == len(one) + 2
    assert one.quality is not None
    assert several.quality is not None
    for name in ("kind", "severity", "drive", "frame", "quality"):
        np.testing.assert_array_equal(getattr(several, name), getattr(one, name))
    for key, values in one.values.items():
        np.testing.assert_array_equal(several.values[key], values)
        np.testing.assert_array_equal(after_several[key], after[key])


def _leave(_: Measure, item: int) -> int:
    os._exit(item)


@pytest.mark.slow
def test_process_that_is_killed_ends_in_one_line_with_fewer_of_them(bundle: Path, frames: Path) -> None:
    graphs = EvaluationGraphs(bundle, threads=1)
    options = MeasuringOptions(bundle, (frames,), threads=1, workers=2)
    spread = SeveralProcesses(options, graphs, partial(_of_frames, graphs.available))
    with (
        pytest.raises(UsageError, match="expected 2 processes that measure to the end, one was killed") as raised,
        spread(_leave, partial(_of_frames, graphs.available, graphs)) as run,
    ):
        list(run([9, 9, 9], 1))
    assert raised.value.words == ("--workers", "1")
    assert "\n" not in str(raised.value)
