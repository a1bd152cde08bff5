# SPDX-License-Identifier: Apache-2.0
"""Real frames, where they lie beside the project."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.calibration.options import CalibrationOptions
from export.data import CamVid, FrameFiles
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import CAMVID

pytestmark = [
    pytest.mark.camvid,
    pytest.mark.skipif(
        not CAMVID.is_dir(), reason=f"CamVid is not at {CAMVID.parent.name}/{CAMVID.name} beside the project"
    ),
]


def test_camvid_splits_hold_the_published_frames_and_drives() -> None:
    everything, dusk = CamVid(CAMVID, "train"), CamVid(CAMVID, "train", only=("0001TP",))
    day = CamVid(CAMVID, "train", exclude=("0001TP",))
    assert (len(everything), len(dusk), len(day), len(CamVid(CAMVID, "val"))) == (367, 62, 305, 101)
    brightness = [np.mean([frames[i][0].mean() for i in range(0, 60, 6)]) for frames in (dusk, day)]
    assert brightness[0] < brightness[1]
    _, label = day[0]
    assert set(np.unique(label)) <= {*range(11), 255}
    assert (label[-60:] == 3).mean() > 0.5  # the bonnet's view is road


def test_export_with_camvid_frames_scores_them(export_small: Callable[..., Path]) -> None:
    day = FrameFiles([*sorted((CAMVID / "train").glob("0016E5_*"))[:60]])
    calibration = CalibrationOptions(detector="kde", rates={"10%": 0.1})
    bundle = export_small(frames=tuple(day.paths), calibration=calibration)
    manifest = read_manifest(bundle)
    assert (manifest.input.frame_height, manifest.input.frame_width) == (360, 480)
    assert manifest.parity.latent_max_abs < 1e-5
    with OoDMonitor(bundle) as monitor:
        fitted = [monitor.score(day[i]) for i in range(0, 60, 6)]
    assert len(manifest.calibration.scores) == 60
    assert max(fitted) < np.median(manifest.calibration.scores), "frames score lower under a density that they fitted"
