# SPDX-License-Identifier: Apache-2.0
"""The figures of a bundle's answers that an evaluation leaves in the manifest, and what the model card says of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from lsood_runtime.offline import measure_name

Share = tuple[float, float, float]
"""A share or an error with the ends of its interval; 0 to 1 where too few drives tell one."""


@dataclass(frozen=True)
class EvaluatedQuality:
    """Expected quality against the truth.

    Attributes:
        measure: ``miou`` or ``agreement``.
        frames: with a true quality.
        unknown: of those whose quality the bundle does not know.
        error: mean absolute error of the others.
        constant_error: of their median quality, told for every frame.
        covered: share of them whose interval holds the truth.
        promised: share that it is made to hold.
        worst_kind: kind of which intervals hold the smallest share; None where no share is known.
        worst_covered: that share; None without one.
    """

    measure: str
    frames: int
    unknown: int
    error: Share
    constant_error: float
    covered: Share
    promised: float
    worst_kind: str | None
    worst_covered: float | None


@dataclass(frozen=True)
class EvaluatedCauses:
    """Causes against the truth; None for what fewer than two frames tell.

    Attributes:
        clean_kept: share of frames in distribution called ``none``.
        right: share of frames called by their kind, by severity, of kinds of the fit.
        own: share of frames of each kind of the user's own called by it.
        sets_hold: share of frames whose set of causes holds the right one.
        others_unknown: share of frames of kinds that are not in the fit called ``unknown``.
        others_confident: share of those called another kind with a probability of 0.9 or more.
    """

    clean_kept: Share | None
    right: dict[str, Share]
    own: dict[str, Share]
    sets_hold: Share | None
    others_unknown: Share | None
    others_confident: Share | None


@dataclass(frozen=True)
class EvaluatedAnswers:
    """All of them.

    Attributes:
        quality: None where the bundle does not tell it, or nothing is known of the truth.
        causes: None where the bundle does not tell them.
    """

    quality: EvaluatedQuality | None
    causes: EvaluatedCauses | None


def answers_paragraph(figures: EvaluatedAnswers | None) -> str:
    """What the card says of them, with an empty line in front; empty where there is nothing."""
    if figures is None:
        return ""
    sentences = [*_quality(figures.quality), *_causes(figures.causes)]
    return f"\n{' '.join(sentences)}\n" if sentences else ""


def _quality(figures: EvaluatedQuality | None) -> Iterator[str]:
    if figures is None:
        return
    worst = ""
    if figures.worst_kind is not None and figures.worst_covered is not None:
        worst = f"; least of {figures.worst_kind}: {figures.worst_covered:.1%}"
    name, error = measure_name(figures.measure), _number(figures.error)
    yield (
        f"{name[0].upper()}{name[1:]} of {figures.frames} frames, clean and shifted ({figures.unknown} of them unknown): "
        f"mean absolute error {error} (of a constant {figures.constant_error:.3f}); the interval holds the truth "
        f"of {_percent(figures.covered)}, promised {figures.promised:.0%}{worst}."
    )


def _causes(figures: EvaluatedCauses | None) -> Iterator[str]:
    if figures is None:
        return
    parts = [] if figures.clean_kept is None else [f"{_percent(figures.clean_kept)} of clean frames called none"]
    parts += [f"{_percent(share)} right at severity {level}" for level, share in figures.right.items()]
    parts += [f"{_percent(share)} of {name} called by it" for name, share in figures.own.items()]
    if figures.sets_hold is not None:
        parts.append(f"the set of causes holds the right one of {_percent(figures.sets_hold)}")
    if parts:
        yield f"Cause: {', '.join(parts)}."
    if figures.others_unknown is not None and figures.others_confident is not None:
        yield (
            f"Of frames of kinds that the answers were not fitted on {_percent(figures.others_unknown)} are called unknown, "
            f"{_percent(figures.others_confident)} another kind with confidence."
        )


def _number(figure: Share) -> str:
    value, low, high = figure
    return f"{value:.3f}" if (low, high) == (0, 1) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _percent(figure: Share) -> str:
    value, low, high = figure
    return f"{value:.1%}" if (low, high) == (0, 1) else f"{value:.1%} ({low:.1%} to {high:.1%})"
