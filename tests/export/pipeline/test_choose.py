# SPDX-License-Identifier: Apache-2.0
"""An export with ``--detector auto`` ships what ranked first."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from export.calibration.options import CalibrationOptions
from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor, read_manifest


def test_export_with_auto_ships_the_first_of_the_table(export_small: Callable[..., Path], frames: Path) -> None:
    out = export_small(calibration=CalibrationOptions(detector="auto", rates={"10%": 0.1}))
    detector = read_manifest(out).detector
    assert detector.reason.startswith("first of ")
    assert (detector.kind == "fused") == bool(detector.parts)
    with OoDMonitor(out) as monitor:
        assert np.isfinite(monitor.score(FrameFiles([frames])[0]))
