# SPDX-License-Identifier: Apache-2.0
"""The drawn drive is the one that the picture in the documentation shows."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import EXAMPLES


def test_drawn_drive_has_fog_in_front_and_a_covered_camera_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["drawn_drive.py", "--out", str(tmp_path), "--frames", "10"])
    runpy.run_path(str(EXAMPLES / "drawn_drive.py"), run_name="__main__")
    contrast = {
        camera: [float(np.asarray(Image.open(path)).std()) for path in sorted((tmp_path / camera).iterdir())]
        for camera in ("front", "rear")
    }
    assert [len(values) for values in contrast.values()] == [10, 10]
    fog = contrast["front"][4:6]
    assert max(fog) < min(contrast["front"][:4] + contrast["front"][6:])
    assert [i for i, value in enumerate(contrast["rear"]) if value == 0] == [7]
