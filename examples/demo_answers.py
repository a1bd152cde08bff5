# SPDX-License-Identifier: Apache-2.0
"""The words beside a scene of the demo's picture: its verdict and the four answers, two of them with a scale."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

from lsood_runtime import Assessment, State

WORDS_WIDTH = 560
INK, ALARM = "#222222", "#b3261e"
FOUND, MISSED = "found", "missed"

_PALE, _BAND, _POINT, _TRUE = "#e0e0e0", "#8fb6e0", "#0b4f9c", "#222222"
_NAME, _TEXT, _SMALL = (ImageFont.load_default(size) for size in (22, 18, 17))
_SCALE_LEFT, _SCALE_WIDTH, _SCALE_HEIGHT, _LINE = 82, 190, 14, 26
_WORDS_LEFT = _SCALE_LEFT + _SCALE_WIDTH + 14
_SIGN_WIDTH = 44


@dataclass(frozen=True)
class ScoreScale:
    """The scores that the scale of a sheet shows.

    Attributes:
        low: at its left end.
        high: at its right end.
    """

    low: float
    high: float

    @classmethod
    def over(cls, verdicts: Sequence[Assessment]) -> "ScoreScale":
        """The scale that shows these scores and their thresholds, with room at both ends."""
        values = [value for each in verdicts for value in (each.score, each.threshold) if math.isfinite(value)]
        low, high = min(values), max(values)
        room = 0.06 * (high - low or 1.0)
        return cls(low - room, high + room)

    def share(self, score: float) -> float:
        """Where on the scale a score lies, from 0 to 1; one that is not finite at its end."""
        return min(max((score - self.low) / (self.high - self.low), 0.0), 1.0) if math.isfinite(score) else 1.0


def draw_answers(
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    name: str,
    verdict: Assessment,
    true_quality: float,
    scale: ScoreScale,
    found: bool | None,
) -> None:
    """Draw the words of a scene.

    Args:
        pen: to draw with.
        corner: the upper left one of their place, which is ``WORDS_WIDTH`` wide.
        name: of the scene.
        verdict: on it.
        true_quality: mIoU of its segmentation with its label.
        scale: of the scores.
        found: whether the object that was placed is one of the unknown ones; None where none was placed.
    """
    left, top = corner
    pen.text((left, top), name, INK, _NAME)
    _draw_verdict(pen, left + WORDS_WIDTH, top, verdict)
    score = f"{verdict.score:.2f}, threshold {verdict.threshold:.2f}, p {verdict.p_value:.3f}"
    _draw_score(pen, (left, top + 30), scale.share(verdict.score), scale.share(verdict.threshold))
    _draw_line(pen, (left, top + 30), "score", score)
    _draw_quality(pen, (left, top + 30 + _LINE), verdict, true_quality)
    lines = {
        "cause": cause_words(verdict),
        "tiles": f"abnormal: {verdict.tile_words or 'none'}",
        "objects": object_words(verdict, name, found),
    }
    for number, (what, words) in enumerate(lines.items(), 2):
        colour = ALARM if what == "objects" and found is False else INK
        pen.text((left, top + 30 + number * _LINE), what, INK, _TEXT)
        pen.text((left + _SCALE_LEFT, top + 30 + number * _LINE), words, colour, _TEXT)


def cause_words(verdict: Assessment) -> str:
    """The cause with its probability and severity."""
    if verdict.cause is None:
        return "not told"
    if verdict.cause_probability is None or math.isnan(verdict.cause_probability):
        return verdict.cause
    severity = f", severity {verdict.severity:.1f} of 5" if verdict.severity else ""
    return f"{verdict.cause.replace('_', ' ')} (probability {verdict.cause_probability:.2f}){severity}"


def object_words(verdict: Assessment, name: str, found: bool | None) -> str:
    """The number of unknown objects, and whether the one that was placed is among them."""
    count = "not known" if verdict.object_count is None else str(verdict.object_count or "none")
    return f"unknown: {count}" + ("" if found is None else f"; {name}: {FOUND if found else MISSED.upper()}")


def _draw_verdict(pen: ImageDraw.ImageDraw, right: int, top: int, verdict: Assessment) -> None:
    """The state on a plate that ends at the right: filled where it is not OK, so that its colour is not needed."""
    is_ok = verdict.state is State.OK
    words = "in distribution" if is_ok else verdict.state.replace("_", " ").upper()
    box = (right - round(pen.textlength(words, _TEXT)) - 20, top, right - 1, top + 26)
    pen.rectangle(box, "white" if is_ok else ALARM, outline=INK if is_ok else ALARM, width=2)
    pen.text((right - 10, top + 13), words, INK if is_ok else "white", _TEXT, anchor="rm")


def _draw_line(pen: ImageDraw.ImageDraw, corner: tuple[int, int], what: str, words: str) -> None:
    left, top = corner
    pen.text((left, top), what, INK, _TEXT)
    pen.text((left + _WORDS_LEFT, top), words, INK, _TEXT)


def _draw_score(pen: ImageDraw.ImageDraw, corner: tuple[int, int], score: float, threshold: float) -> None:
    """The score as a point on its scale, of which the part above the threshold is darker."""
    left, top = corner[0] + _SCALE_LEFT, corner[1] + 5
    _draw_score_scale(pen, left, top, _SCALE_WIDTH, threshold)
    place, middle = left + score * _SCALE_WIDTH, top + _SCALE_HEIGHT / 2
    pen.ellipse((place - 6, middle - 6, place + 6, middle + 6), _POINT, outline="white")


def _draw_score_scale(pen: ImageDraw.ImageDraw, left: float, top: float, width: float, threshold: float) -> None:
    limit = left + threshold * width
    pen.rectangle((left, top, left + width, top + _SCALE_HEIGHT), _PALE)
    pen.rectangle((limit, top, left + width, top + _SCALE_HEIGHT), "#b5b5b5")
    pen.line([(limit, top - 3), (limit, top + _SCALE_HEIGHT + 3)], INK, 2)


def _draw_quality(pen: ImageDraw.ImageDraw, corner: tuple[int, int], verdict: Assessment, true_quality: float) -> None:
    """The expected quality on a scale from 0 to 1: interval as a band, expected value and true one as marks."""
    left, top = corner[0] + _SCALE_LEFT, corner[1] + 5
    low, expected, high = verdict.quality_low, verdict.expected_quality, verdict.quality_high
    pen.rectangle((left, top, left + _SCALE_WIDTH, top + _SCALE_HEIGHT), _PALE)
    words = f"mIoU unknown; true {true_quality:.2f}"
    if low is not None and expected is not None and high is not None and not math.isnan(expected):
        _draw_band(pen, left, top, (low * _SCALE_WIDTH, expected * _SCALE_WIDTH, high * _SCALE_WIDTH))
        words = f"mIoU {expected:.2f} ({low:.2f} to {high:.2f}); true {true_quality:.2f}"
    _draw_true(pen, left + true_quality * _SCALE_WIDTH, top)
    _draw_line(pen, corner, "quality", words)


def _draw_band(pen: ImageDraw.ImageDraw, left: float, top: float, places: tuple[float, float, float]) -> None:
    low, expected, high = places
    pen.rectangle((left + low, top, left + high, top + _SCALE_HEIGHT), _BAND)
    pen.line([(left + expected, top), (left + expected, top + _SCALE_HEIGHT)], _POINT, 4)


def _draw_true(pen: ImageDraw.ImageDraw, place: float, top: float) -> None:
    """A triangle under the scale."""
    foot = top + _SCALE_HEIGHT
    pen.polygon([(place - 6, foot + 7), (place + 6, foot + 7), (place, foot - 3)], _TRUE, outline="white")


def draw_signs(pen: ImageDraw.ImageDraw, corner: tuple[int, int]) -> None:
    """Draw the legend of both scales in a line."""
    left, top = corner
    signs: tuple[tuple[str, Callable[[ImageDraw.ImageDraw, int, int], None]], ...] = (
        ("score, darker grey from its threshold up", _draw_score_sign),
        ("expected mIoU in its interval, told without a label", _draw_band_sign),
        ("true mIoU, by the label", _draw_true_sign),
    )
    for words, draw in signs:
        draw(pen, left, top)
        pen.text((left + _SIGN_WIDTH + 8, top - 4), words, INK, _SMALL)
        left += _SIGN_WIDTH + 8 + round(pen.textlength(words, _SMALL)) + 22


def _draw_score_sign(pen: ImageDraw.ImageDraw, left: int, top: int) -> None:
    _draw_score_scale(pen, left, top, _SIGN_WIDTH, 0.4)
    pen.ellipse((left + 28, top + 1, left + 40, top + 13), _POINT, outline="white")


def _draw_band_sign(pen: ImageDraw.ImageDraw, left: int, top: int) -> None:
    pen.rectangle((left, top, left + _SIGN_WIDTH, top + _SCALE_HEIGHT), _PALE)
    _draw_band(pen, left, top, (8, 24, 36))


def _draw_true_sign(pen: ImageDraw.ImageDraw, left: int, top: int) -> None:
    _draw_true(pen, left + _SIGN_WIDTH - 8, top - 6)
