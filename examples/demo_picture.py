# SPDX-License-Identifier: Apache-2.0
"""The picture of the demo: a row for each scene, with the frame, its segmentation, its marks, and the answers in words."""

from dataclasses import dataclass

import numpy as np
from demo_answers import ALARM, FOUND, INK, MISSED, WORDS_WIDTH, ScoreScale, draw_answers, draw_signs
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from export.data.synthetic import CLASSES
from lsood_runtime import Assessment
from lsood_runtime.offline import MapPictures, draw_scale

CLASS_COLOURS = (
    (140, 200, 240), (225, 205, 160), (20, 150, 100), (65, 65, 70),
    (255, 255, 255), (204, 121, 167), (0, 90, 170), (230, 110, 0),
)  # fmt: skip
"""RGB of each class of the scenes; readers of every colour vision tell them apart."""

_PICTURE, _ROW = (272, 136), 164
_GROUP, _BETWEEN, _GAP, _HEAD, _LEGEND, _SCALE_WIDTH = 36, 8, 18, 34, 126, 120
_WIDTH = _GROUP + 3 * (_PICTURE[0] + _BETWEEN) + WORDS_WIDTH + _GAP
_BOX, _TILE = "#00e5ff", "#ffffff"
_HEADS = ("frame", "segmentation", "tiles and objects", "what the monitor says")
_TEXT, _SMALL = ImageFont.load_default(20), ImageFont.load_default(17)


@dataclass(frozen=True)
class Scene:
    """A frame of the drive, with what is known of it and what the monitor says.

    Attributes:
        group: of the sheet, in one word.
        name: what was done to it.
        frame: ``(H, W, 3)`` uint8, RGB.
        true_quality: mIoU of its segmentation with its label.
        placed: the box ``(left, top, right, bottom)`` of an object that no calibration frame has; None where there is none.
        verdict: of the monitor.
    """

    group: str
    name: str
    frame: NDArray[np.uint8]
    true_quality: float
    placed: tuple[int, int, int, int] | None
    verdict: Assessment

    @property
    def is_missed(self) -> bool:
        """Whether an object was placed that no unknown object overlaps."""
        if self.placed is None:
            return False
        left, top, right, bottom = self.placed
        return not any(
            each.x < right and left < each.x + each.width and each.y < bottom and top < each.y + each.height
            for each in self.verdict.objects
        )


def draw_scenes(scenes: list[Scene], maps: MapPictures) -> Image.Image:
    """Draw a row for each scene, those of a group beneath each other, and a legend, in a palette of 256 colours.

    Args:
        scenes: in their order.
        maps: draws the anomaly maps of the bundle.
    """
    sheet = Image.new("RGB", (_WIDTH, _HEAD + len(scenes) * _ROW + _LEGEND), "white")
    pen, scale = ImageDraw.Draw(sheet), ScoreScale.over([scene.verdict for scene in scenes])
    for place, head in enumerate(_HEADS):
        pen.text((_GROUP + place * (_PICTURE[0] + _BETWEEN), 6), head, INK, _TEXT)
    for place, scene in enumerate(scenes):
        top = _HEAD + place * _ROW
        if place == 0 or scenes[place - 1].group != scene.group:
            rows = sum(each.group == scene.group for each in scenes)
            _draw_group(sheet, scene.group, top, rows * _ROW)
        for column, picture in enumerate((Image.fromarray(scene.frame), _classes(scene), _marks(scene, maps))):
            sheet.paste(picture.resize(_PICTURE), (_GROUP + column * (_PICTURE[0] + _BETWEEN), top + 6))
        draw_answers(
            pen, (_GROUP + 3 * (_PICTURE[0] + _BETWEEN), top + 2), scene.name, scene.verdict, scene.true_quality, scale,
            found=None if scene.placed is None else not scene.is_missed,
        )  # fmt: skip
    _draw_legend(sheet, _HEAD + len(scenes) * _ROW + 4)
    return sheet.quantize(256)


def _draw_group(sheet: Image.Image, group: str, top: int, height: int) -> None:
    """The name of a group, upright beside its rows, under a line."""
    ImageDraw.Draw(sheet).line([(0, top), (_WIDTH - _GAP, top)], "#bbbbbb", 1)
    label = Image.new("RGB", (height, _GROUP - 4), "white")
    ImageDraw.Draw(label).text((height // 2, (_GROUP - 4) // 2), group, INK, _TEXT, anchor="mm")
    sheet.paste(label.rotate(90, expand=True), (0, top + 2))


def _classes(scene: Scene) -> Image.Image:
    classes: NDArray[np.uint8] = np.asarray(scene.verdict.segmentation, np.uint8)
    colours = Image.fromarray(np.array(CLASS_COLOURS, np.uint8)[classes])
    return colours.resize(_PICTURE, Image.Resampling.NEAREST)


def _marks(scene: Scene, maps: MapPictures) -> Image.Image:
    """The frame in grey under its anomaly map, with abnormal tiles and unknown objects; the network sees the whole frame."""
    verdict = scene.verdict
    grey = np.asarray(Image.fromarray(scene.frame).convert("L").convert("RGB").resize(_PICTURE))
    if verdict.anomaly_map is not None:
        grey = maps.draw(grey, verdict.anomaly_map)
    picture = Image.fromarray(grey)
    pen, ratio = ImageDraw.Draw(picture), _PICTURE[0] / scene.frame.shape[1]
    if verdict.tiles is not None:
        rows, columns = verdict.tiles.shape
        for row, column in np.argwhere(verdict.tiles).tolist():
            left, right = (round(place * _PICTURE[0] / columns) for place in (column, column + 1))
            top, bottom = (round(place * _PICTURE[1] / rows) for place in (row, row + 1))
            _draw_tile(pen, (left, top, right, bottom))
    for each in verdict.objects:
        box = (each.x * ratio, each.y * ratio, (each.x + each.width) * ratio, (each.y + each.height) * ratio)
        _draw_object(pen, box)
    if scene.placed is not None:
        left, top, right, bottom = (round(end * ratio) for end in scene.placed)
        if scene.is_missed:
            _draw_missed(pen, (left, top, right, bottom))
        _draw_tag(pen, (right + 6, (top + bottom) // 2), *((MISSED, ALARM) if scene.is_missed else (FOUND, INK)))
    return picture


def _draw_tile(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    """A white border within a black one, inside a tile: it shows on any picture."""
    left, top, right, bottom = box
    for inset, colour in ((2, "black"), (3, _TILE), (4, _TILE)):
        pen.rectangle((left + inset, top + inset, right - inset - 1, bottom - inset - 1), outline=colour)


def _draw_object(pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = map(round, box)
    pen.rectangle((left - 4, top - 4, right + 3, bottom + 3), outline="black", width=5)
    pen.rectangle((left - 3, top - 3, right + 2, bottom + 2), outline=_BOX, width=3)


def _draw_missed(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    """A broken line around what was not found."""
    left, top, right, bottom = box
    for start in range(left, right, 10):
        for height in (top, bottom):
            pen.line([(start, height), (min(start + 6, right), height)], ALARM, 3)
    for start in range(top, bottom, 10):
        for place in (left, right):
            pen.line([(place, start), (place, min(start + 6, bottom))], ALARM, 3)


def _draw_tag(pen: ImageDraw.ImageDraw, place: tuple[int, int], word: str, colour: str) -> None:
    """A word on a plate, its left side at a place."""
    left, top, right, bottom = pen.textbbox(place, word, _SMALL, anchor="lm")
    pen.rectangle((left - 4, top - 3, right + 4, bottom + 3), colour)
    pen.text(place, word, "white", _SMALL, anchor="lm")


def _draw_legend(sheet: Image.Image, top: int) -> None:
    """Every colour and mark of the sheet, in three lines."""
    pen, left = ImageDraw.Draw(sheet), _GROUP
    pen.line([(0, top - 4), (_WIDTH - _GAP, top - 4)], "#bbbbbb", 1)

    def word(text: str, line: int) -> None:
        nonlocal left
        pen.text((left, top + 6 + 40 * line), text, INK, _SMALL)
        left += round(pen.textlength(text, _SMALL)) + 26

    for name, colour in zip(CLASSES, CLASS_COLOURS, strict=True):
        pen.rectangle((left, top + 6, left + 22, top + 24), colour, outline=INK)
        left += 28
        word(name, 0)
    word("p: share of clean calibration frames with such a score or a higher one", 0)
    left, line = _GROUP, top + 40
    _draw_tile(pen, (left - 2, line + 2, left + 34, line + 30))
    left += 42
    word("abnormal tile", 1)
    _draw_scale(sheet, left, line + 8)
    left += _SCALE_WIDTH + 8
    word("anomaly map from half of the limit, over the limit to twice it", 1)
    _draw_object(pen, (left + 4, line + 8, left + 28, line + 24))
    left += 42
    word("unknown object", 1)
    _draw_missed(pen, (left, line + 6, left + 30, line + 26))
    left += 40
    word("object that was put there and is missed", 1)
    draw_signs(pen, (_GROUP, top + 90))


def _draw_scale(sheet: Image.Image, left: int, top: int) -> None:
    """The colours of the anomaly map from half of the limit to twice it, on grey."""
    width = 4 * _SCALE_WIDTH // 3  # the first quarter of the scale is clear
    sheet.paste(Image.fromarray(draw_scale(16, width)[:, width - _SCALE_WIDTH :]), (left, top))
