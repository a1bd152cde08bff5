# SPDX-License-Identifier: Apache-2.0
"""A bundle that answers all, and what its tests share: options, cut-outs, frames with ice, comparison of answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from export.calibration.answer_options import AnswerOptions
from export.calibration.options import CalibrationOptions
from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor
from tests.conftest import write_scenes

MAP = AnswerOptions(("map",))
BOTH = AnswerOptions(("quality", "cause"))
TILES = AnswerOptions(("tiles",))
EVERY = AnswerOptions(("quality", "cause", "tiles", "map"))
CALIBRATION = CalibrationOptions(rates={"10%": 0.1}, group_by="prefix")
ExportSmall = Callable[..., Path]


def red_cutout() -> Image.Image:
    """A cut-out of a red thing."""
    picture = Image.new("RGBA", (40, 30), (0, 255, 0, 0))
    picture.paste((230, 20, 30, 255), (5, 5, 35, 25))
    return picture


def write_iced(folder: Path, count: int, seed: int) -> Path:
    """Scenes with ice on the lens, a white disc."""
    write_scenes(folder, count, seed)
    rows, columns = np.mgrid[:80, :160]
    for path in folder.iterdir():
        with Image.open(path) as image:
            frame = np.array(image)
        frame[(rows - 40) ** 2 + (columns - 80) ** 2 < 900] = 235
        Image.fromarray(frame).save(path)
    return folder


def answers_on(bundle: Path, frames: Path) -> list[dict[str, Any]]:
    """Answers on a few frames, without times."""
    names = ("expected_quality", "quality_low", "quality_high", "cause", "cause_probability", "cause_set", "severity")
    with OoDMonitor(bundle) as monitor:
        return [
            {name: getattr(verdict := monitor.assess(np.array(frame)), name) for name in names}
            | {"tile_values": verdict.tile_values, "anomaly_map": verdict.anomaly_map, "objects": verdict.objects}
            for frame in list(FrameFiles((frames,)))[::9]
        ]


def assert_same_answers(one: list[dict[str, Any]], other: list[dict[str, Any]], tolerance: float = 0.0) -> None:
    for first, second in zip(one, other, strict=True):
        for name, value in first.items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_allclose(second[name], value, atol=tolerance, rtol=0, equal_nan=True)
            else:
                assert second[name] == value
