# SPDX-License-Identifier: Apache-2.0
"""Decide the verdict on a frame from its score: threshold, p-value, deadline."""

import math
import time
from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._answers import NO_ANSWERS, AnswerRule, Answers, measure_name, quality_words, unknown_answers
from lsood_runtime._arguments import check_number
from lsood_runtime._assessment import Assessment, State, with_answers
from lsood_runtime._bundle.answers_records import AnswersRecord
from lsood_runtime._exceptions import BundleError, FrameError
from lsood_runtime._inference.arrays import Frame
from lsood_runtime._inference.frame_pass import Outcome
from lsood_runtime._inference.picture_check import NOT_LOOKED_AT, PictureCheck, PictureChecker
from lsood_runtime._inference.stamps import Stamp
from lsood_runtime._parts import NO_PARTS, Parts


class VerdictRule:
    """Compares scores with a threshold and with the calibration.

    Args:
        threshold: score above which a frame is out of distribution.
        calibration_scores: ascending.
        deadline_ms: a verdict that takes longer is LATE; None for no deadline.
        part_names: of the detector's parts.
        answers: rule of the answers beside the score.
        min_quality: a frame the lower end of whose expected quality is below it, or unknown, is of LOW_QUALITY; None for no
            such rule.
    """

    def __init__(
        self,
        threshold: float,
        calibration_scores: Sequence[float],
        deadline_ms: float | None,
        part_names: Sequence[str] = (),
        answers: AnswerRule | None = None,
        min_quality: float | None = None,
    ) -> None:
        self.threshold, self.answers = threshold, answers or AnswerRule(None)
        self._min_quality = min_quality
        self._calibration_scores = np.array(calibration_scores)
        self._deadline_ms = deadline_ms
        self._no_parts = Parts(dict.fromkeys(part_names, math.nan))

    def parts(self, shares: NDArray[np.float64] | None, place: int) -> Parts:
        """Each part's share of the score of the frame at a place of a pass; none for a detector of one part."""
        if shares is None:
            return NO_PARTS
        return Parts(dict(zip(self._no_parts, shares[place].tolist(), strict=True)))

    def p_value(self, score: float) -> float:
        """Share of in-distribution frames that score at least as high, the frame itself among them; NaN without a score."""
        if not math.isfinite(score):
            return math.nan
        count = len(self._calibration_scores)
        return (1 + count - int(np.searchsorted(self._calibration_scores, score, side="left"))) / (count + 1)

    def verdict(
        self,
        *,
        score: float,
        segmentation: NDArray[np.uint8] | NDArray[np.float32] | None,
        fault: str | None,
        provider: str,
        latency_ms: float,
        stamp_ns: int,
        parts: Parts = NO_PARTS,
        answers: Answers = NO_ANSWERS,
        picture: PictureCheck = NOT_LOOKED_AT,
        features: NDArray[np.float32] | None = None,
    ) -> Assessment:
        """Make the verdict on one frame.

        Args:
            score: ``inf`` where there is no finite one.
            segmentation: of this frame; None where there is none.
            fault: why the frame is no camera's image, or has no score; None where nothing is wrong.
            provider: that ran.
            latency_ms: from the call until now.
            stamp_ns: of the frame.
            parts: shares of the score.
            answers: beside the score; unknown where there is a fault, whatever the graphs gave.
            picture: what its raw picture shows.
            features: of the frame; None where they are not kept.
        """
        above = score > self.threshold
        late = self._deadline_ms is not None and latency_ms > self._deadline_ms
        state, reasons = State.OK, list[str]()
        if late:
            state, reasons = State.LATE, [f"it took {latency_ms:.1f} ms, the deadline is {self._deadline_ms:g} ms"]
        if (low := self._low_quality(answers)) is not None:
            state = State.LOW_QUALITY
            reasons.insert(0, low)
        if above:
            state = State.OUT_OF_DISTRIBUTION
            reasons.insert(0, f"the score is above {self.threshold:.6g}{_largest(parts)}")
        if fault is not None:
            state, reasons, answers = State.INVALID, [fault], unknown_answers(answers)
        verdict = Assessment(
            score=score,
            p_value=self.p_value(score),
            is_ood=above or fault is not None,
            threshold=self.threshold,
            segmentation=segmentation,
            state=state,
            reason="; ".join(reasons),
            provider=provider,
            latency_ms=latency_ms,
            stamp_ns=stamp_ns,
            parts=parts,
            is_late=late,
            faulty_tiles=picture.faulty_tiles,
            tile_faults=picture.tile_faults,
            features=features,
        )
        return verdict if answers is NO_ANSWERS else with_answers(verdict, answers)

    def _low_quality(self, answers: Answers) -> str | None:
        """Say why the quality of the segmentation is not known to be what was asked for; None where it is."""
        asked, low = self._min_quality, answers.quality_low
        if asked is None or low is None or low >= asked:
            return None
        if math.isfinite(low):
            return f"the {measure_name(answers.quality_measure)} may be as low as {low:.3g}, below {asked:g}"
        return f"the {quality_words(answers)}, and so not known to be {asked:g} or more"

    def frame_verdict(
        self,
        outcome: Outcome,
        place: int,
        picture: PictureCheck,
        provider: str,
        stamp: Stamp,
        start: float,
        *,
        judge_tiles: bool = True,
    ) -> Assessment:
        """Make the verdict on the frame at a place of a pass.

        Args:
            outcome: of the pass.
            place: of the frame in it.
            picture: what its raw picture shows.
            provider: that ran.
            stamp: of the frame, and what is wrong with it.
            start: of the call, of ``time.perf_counter()``.
            judge_tiles: whether a frame is INVALID for its faulty tiles.
        """
        parts = self.parts(outcome.parts, place)
        segmentation = None if outcome.segmentation is None else outcome.segmentation[place]
        score = finite_score(outcome.scores[place], parts.values())
        fault = picture.reason(judge_tiles=judge_tiles) or score_fault(score, parts) or stamp[1]
        return self.verdict(
            score=score,
            segmentation=segmentation,
            fault=fault,
            provider=provider,
            latency_ms=1e3 * (time.perf_counter() - start),
            stamp_ns=stamp[0],
            parts=parts,
            answers=self.answers.answers(outcome.answers, place, segmentation),
            picture=picture,
            features=None if outcome.features is None else _read_only(outcome.features[place]),
        )

    def batch_verdicts(
        self,
        frames: Sequence[Frame | FrameError],
        outcome: Outcome | None,
        pictures: PictureChecker,
        provider: str,
        stamps: Sequence[Stamp],
        start: float,
    ) -> list[Assessment]:
        """Make the verdicts on the frames of a batch, of which the sound ones alone took part in a pass.

        Args:
            frames: of the batch, or what is wrong with them.
            outcome: of the pass, whose places are those of the sound frames; None where none is.
            pictures: looks at the raw frames.
            provider: that ran.
            stamps: one a frame.
            start: of the call, of ``time.perf_counter()``.
        """
        verdicts, places = [], count()
        for frame, stamp in zip(frames, stamps, strict=True):
            if isinstance(frame, FrameError):
                verdicts.append(self.refused(frame, provider, stamp, start))
            elif outcome is not None:  # as it is where any frame is sound
                picture = pictures.look(frame)
                verdicts.append(self.frame_verdict(outcome, next(places), picture, provider, stamp, start))
        return verdicts

    def refused(self, error: FrameError, provider: str, stamp: Stamp, start: float) -> Assessment:
        """Make the verdict on a frame that breaks the contract; ``start`` is that of the call."""
        latency_ms = 1e3 * (time.perf_counter() - start)
        return self.invalid(str(error), provider=provider, latency_ms=latency_ms, stamp_ns=stamp[0])

    def invalid(self, fault: str, *, provider: str, latency_ms: float, stamp_ns: int) -> Assessment:
        """Make the verdict on a frame that no graph has seen: no score, no segmentation, every part NaN, no answer."""
        return self.verdict(
            score=math.inf,
            segmentation=None,
            fault=fault,
            provider=provider,
            latency_ms=latency_ms,
            stamp_ns=stamp_ns,
            parts=self._no_parts,
            answers=self.answers.not_run,
        )


def check_deadline(deadline_ms: float | None) -> None:
    """Refuse a deadline that is not above 0; None stands for none.

    Raises:
        TypeError: no number.
        ValueError: it is not above 0.
    """
    if deadline_ms is not None:
        check_number(deadline_ms, "a deadline above 0 ms", "pass None for no deadline", lambda ms: ms > 0)


def check_min_quality(min_quality: float | None, answers: AnswersRecord | None) -> None:
    """Refuse a smallest quality that is not above 0 and at most 1, or of a bundle that tells none; None stands for none.

    Raises:
        TypeError: no number.
        ValueError: it is out of range.
        BundleError: the bundle does not tell the quality.
    """
    if min_quality is None:
        return
    check_number(min_quality, "a min_quality above 0 and at most 1", "pass None for no such rule", lambda q: 0 < q <= 1)
    if answers is None or answers.quality is None:
        raise BundleError(
            f"expected a bundle that tells the quality of its segmentation with min_quality {min_quality:g}, this one does "
            "not: calibrate it with --answers quality, or leave it out"
        )


def finite_score(score: float, parts: Iterable[float] = ()) -> float:
    """The score, or ``inf`` where it or a part is no finite number, which is above every threshold.

    ``NaN > threshold`` is false: without this a broken monitor would pass every frame as in distribution.
    """
    return float(score) if math.isfinite(score) and all(map(math.isfinite, parts)) else math.inf


def score_fault(score: float, parts: Parts) -> str | None:
    """Say why there is no score to rely on, naming the parts that are not finite; None where there is one."""
    broken = [f"{share} for {name}" for name, share in parts.items() if not math.isfinite(share)]
    if broken:
        return (
            f"expected finite parts of the score, got {'; '.join(broken)}: the graphs cannot make sense of this frame"
        )
    if not math.isfinite(score):
        return "expected a finite score, got none: the graphs cannot make sense of this frame"
    return None


def _read_only(features: NDArray[np.float32]) -> NDArray[np.float32]:
    features.flags.writeable = False
    return features


def _largest(parts: Parts) -> str:
    if not parts:
        return ""
    name = max(parts, key=parts.__getitem__)
    return f", the largest part is {name} with {parts[name]:.3g}"
