# SPDX-License-Identifier: Apache-2.0
"""The sets of an evaluation, looked at before a frame is scored: pictures that were encoded again are warned of."""

from pathlib import Path

from PIL import Image

from export.evaluation.frame_sources import frame_sources, look_at_sets
from export.evaluation.options import EvaluationOptions
from export.reporter import SilentReporter
from tests.conftest import write_scenes


class Lines(SilentReporter):
    """Keeps the stages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)


def said(ind: tuple[Path, ...], group_by: str, **ood: Path) -> list[str]:
    """Warnings of an evaluation of these folders."""
    options = EvaluationOptions(
        Path("bundle"), ind, ood={name: (folder,) for name, folder in ood.items()}, group_by=group_by
    )
    reporter = Lines()
    look_at_sets(list(frame_sources(options, "rgb")), options.group_by, reporter)
    return reporter.lines


def again(path: Path, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    Image.open(path).convert("RGB").save(folder / name, quality=30)


def test_look_at_sets_warns_of_copies_within_a_set_and_between_two(tmp_path: Path) -> None:
    ind = write_scenes(tmp_path / "ind", 6, seed=1, size=(192, 384))
    fog, rain = (write_scenes(tmp_path / name, 6, seed=i, size=(192, 384)) for i, name in enumerate(("fog", "rain"), 2))
    assert said((ind,), "none", fog=fog, rain=rain) == []
    first, second, *_ = sorted(ind.iterdir())
    again(first, fog, "new.jpg")
    again(second, tmp_path / "other", "copy.jpg")
    (within, between) = said((ind, tmp_path / "other"), "folder", fog=fog, rain=rain)
    assert within.startswith(
        "warning: in distribution: 1 of 7 frames show nearly the same picture as a frame elsewhere"
    )
    assert within.endswith("each counts as a frame of its own, and the intervals are too narrow; take them out")
    assert between.startswith("warning: 1 of 7 frames of fog show nearly the same picture as one of in distribution")
    assert f"{fog / 'new.jpg'} as {first}" in between
