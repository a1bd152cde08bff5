# SPDX-License-Identifier: Apache-2.0
"""The picture of the demo: frames with what the monitor says of them, readable at a glance."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from export.data.synthetic import PALETTE
from lsood_runtime import Assessment, State

COLUMNS = 2
_PICTURE = (288, 144)
_CARD = (2 * _PICTURE[0] + 4, _PICTURE[1] + 84)
_GAP = 14
_INK, _PALE, _BAND, _POINT, _TRUE = "#222222", "#e4e4e4", "#8fb6e0", "#0b4f9c", "#c05600"
_LEGEND = (
    "Line: expected mIoU from the same pass, without a label; band: its interval; triangle: the true mIoU, by the label that "
    "the monitor does not see. Orange: abnormal tiles. Red: unknown objects."
)
_GOOD, _BAD, _TILES, _UNKNOWN = "#1b6e3c", "#b3261e", (255, 179, 0), (230, 0, 120)


@dataclass(frozen=True)
class Scene:
    """A frame of the drive, with what is known of it and what the monitor says.

    Attributes:
        name: what was done to it.
        frame: ``(H, W, 3)`` uint8, RGB.
        true_quality: mIoU of its segmentation with its label.
        object_limit: of the anomaly map, above which cells make up an unknown object.
        verdict: of the monitor.
    """

    name: str
    frame: NDArray[np.uint8]
    true_quality: float
    object_limit: float
    verdict: Assessment


def draw_scenes(scenes: list[Scene]) -> Image.Image:
    """Draw a sheet of cards, one for each scene, in a palette of 256 colours."""
    rows = -(-len(scenes) // COLUMNS)
    height = rows * (_CARD[1] + _GAP) + _GAP
    sheet = Image.new("RGB", (COLUMNS * (_CARD[0] + _GAP) + _GAP, height + 24), "white")
    for place, scene in enumerate(scenes):
        row, column = divmod(place, COLUMNS)
        sheet.paste(_card(scene), (_GAP + column * (_CARD[0] + _GAP), _GAP + row * (_CARD[1] + _GAP)))
    ImageDraw.Draw(sheet).text((_GAP, height - 6), _LEGEND, _INK, ImageFont.load_default(13))
    return sheet.quantize(256)


def _card(scene: Scene) -> Image.Image:
    """The frame with its abnormal tiles, its class map, and under them the answers."""
    card, verdict = Image.new("RGB", _CARD, "white"), scene.verdict
    card.paste(_marked(scene), (0, 0))
    classes: NDArray[np.uint8] = np.asarray(verdict.segmentation, np.uint8)
    colours = Image.fromarray(np.array(PALETTE, np.uint8)[classes])
    card.paste(colours.resize(_PICTURE, Image.Resampling.NEAREST), (_PICTURE[0] + 4, 0))
    pen, top = ImageDraw.Draw(card), _PICTURE[1] + 4
    colour = _GOOD if verdict.state is State.OK else _BAD
    words = "in distribution" if verdict.state is State.OK else verdict.state.replace("_", " ")
    pen.text((0, top), f"{scene.name}: {words}", colour, ImageFont.load_default(17))
    score = f"score {verdict.score:.1f}, threshold {verdict.threshold:.1f}, p = {verdict.p_value:.3f}"
    pen.text((_CARD[0], top + 3), score, _INK, ImageFont.load_default(13), anchor="ra")
    _draw_quality(pen, top + 26, scene)
    pen.text((0, top + 50), _cause(verdict), _INK, ImageFont.load_default(14))
    where = f"abnormal: {verdict.tile_words}" if verdict.tile_words else "no abnormal tile"
    if verdict.objects:
        where += f"; unknown objects: {len(verdict.objects)}"
    pen.text((_CARD[0], top + 51), where, _INK, ImageFont.load_default(13), anchor="ra")
    return card


def _draw_quality(pen: ImageDraw.ImageDraw, top: int, scene: Scene) -> None:
    """The expected quality on a scale from 0 to 1: interval as a band, expected value and true one as lines."""
    verdict, (left, width, height) = scene.verdict, (210, 180, 14)
    pen.text((0, top), "expected quality (mIoU)", _INK, ImageFont.load_default(14))
    pen.rectangle((left, top + 2, left + width, top + 2 + height), _PALE)
    low, expected, high = verdict.quality_low, verdict.expected_quality, verdict.quality_high
    true = f"true {scene.true_quality:.2f}"
    if low is None or expected is None or high is None or math.isnan(expected):
        words = f"unknown; {true}"
    else:
        pen.rectangle((left + low * width, top + 2, left + high * width, top + 2 + height), _BAND)
        pen.line([(left + expected * width, top + 2), (left + expected * width, top + 2 + height)], _POINT, 3)
        words = f"{expected:.2f} ({low:.2f} to {high:.2f}); {true}"
    place = left + scene.true_quality * width
    pen.polygon([(place - 4, top + height + 8), (place + 4, top + height + 8), (place, top + height + 2)], _TRUE)
    pen.text((left + width + 12, top), words, _INK, ImageFont.load_default(14))


def _cause(verdict: Assessment) -> str:
    """The cause with its probability and severity, in words."""
    if verdict.cause is None or verdict.cause_probability is None or verdict.severity is None:
        return ""
    if math.isnan(verdict.cause_probability):
        return f"cause: {verdict.cause}"
    severity = f", severity {verdict.severity:.1f} of 5" if verdict.severity > 0 else ""
    return f"cause: {verdict.cause.replace('_', ' ')} ({verdict.cause_probability:.2f}){severity}"


def _marked(scene: Scene) -> Image.Image:
    """The frame with what is unknown in it reddened, its abnormal tiles outlined and a box around each unknown object.

    The network of the demo sees the whole frame.
    """
    picture, verdict = np.array(Image.fromarray(scene.frame).resize(_PICTURE)), scene.verdict
    if verdict.anomaly_map is not None:
        share = np.clip(2 * verdict.anomaly_map / scene.object_limit - 1, 0, 1)
        share = 0.6 * cv2.resize(share, _PICTURE, interpolation=cv2.INTER_LINEAR)[..., None]
        picture = np.round(picture * (1 - share) + np.array(_UNKNOWN) * share).astype(np.uint8)
    if verdict.tiles is not None:
        inside = cv2.resize(verdict.tiles.astype(np.uint8), _PICTURE, interpolation=cv2.INTER_NEAREST)
        core = cv2.erode(inside, np.ones((7, 7), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        picture[inside > core] = _TILES
    marked = Image.fromarray(picture)
    pen, ratio = ImageDraw.Draw(marked), _PICTURE[0] / scene.frame.shape[1]
    for found in verdict.objects:
        left, top = found.x * ratio, found.y * ratio
        pen.rectangle((left, top, left + found.width * ratio, top + found.height * ratio), outline=_UNKNOWN, width=2)
    return marked
