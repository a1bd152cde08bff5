# SPDX-License-Identifier: Apache-2.0
"""The figures of a bundle's answers that an evaluation leaves in the manifest, as records without a method."""

from dataclasses import dataclass, field

Share = tuple[float, float, float]
"""A share or an error with the ends of its interval; 0 to 1 where too few drives tell one."""


@dataclass(frozen=True)
class EvaluatedGroup:
    """Expected quality against the truth, of some frames.

    Attributes:
        where: which frames: ``of kinds of the fit``.
        frames: with a true quality.
        unknown: of those whose quality the bundle does not know.
        error: mean absolute error of the others.
        constant_error: of their median quality, told for every frame.
        covered: share of them whose interval holds the truth.
        median_width: of the intervals.
    """

    where: str
    frames: int
    unknown: int
    error: Share
    constant_error: float
    covered: Share
    median_width: float


@dataclass(frozen=True)
class EvaluatedQuality:
    """Expected quality against the truth.

    Attributes:
        measure: ``miou`` or ``agreement``.
        promised: share of frames that the interval is made to hold.
        groups: frames of kinds of the fit, and others; those of fewer than two frames are left out.
        worst_kind: kind of which intervals hold the smallest share; None where no share is known.
        worst_covered: that share; None without one.
        worst_frames: how many it is of.
    """

    measure: str
    promised: float
    groups: tuple[EvaluatedGroup, ...]
    worst_kind: str | None
    worst_covered: Share | None
    worst_frames: int


@dataclass(frozen=True)
class EvaluatedCauses:
    """Causes against the truth; None for what fewer than two frames tell.

    Attributes:
        clean_kept: share of frames in distribution called ``none``.
        right: share of frames called by their kind, by severity, of kinds of the fit.
        own: share of frames of each kind of the user's own called by it.
        sets_hold: share of frames whose set of causes holds the right one.
        severity_error: mean absolute error of the severity.
        others: frames of kinds that are not in the fit.
        others_unknown: share of those called ``unknown``.
        others_none: share of those called ``none``.
        others_confident: share of those called another kind with confidence.
        confident: probability from which on that is so.
    """

    clean_kept: Share | None
    right: dict[str, Share]
    own: dict[str, Share]
    sets_hold: Share | None
    severity_error: Share | None
    others: int
    others_unknown: Share | None
    others_none: Share | None
    others_confident: Share | None
    confident: float


@dataclass(frozen=True)
class EvaluatedTiles:
    """Abnormal tiles.

    Attributes:
        clean_kept: share of frames in distribution without one; None of fewer than two frames.
        promised: share of such frames that may have one.
        guarantee: of new or of known ``drives`` or ``frames``.
        most: share of the frames that have one, of the sets that have the most.
    """

    clean_kept: Share | None
    promised: float
    guarantee: str
    most: dict[str, float]


@dataclass(frozen=True)
class EvaluatedObjects:
    """Unknown objects on frames in distribution.

    Attributes:
        share: of the frames that show one; None where nothing is known.
        promised: share of frames that may show one.
        guarantee: as for tiles.
        frames: that count.
        holding: frames that are left out, since their mask holds an object.
        unknown: frames that are left out, since their map is unknown.
    """

    share: Share | None
    promised: float
    guarantee: str
    frames: int
    holding: int
    unknown: int


@dataclass(frozen=True)
class EvaluatedMasks:
    """Maps and objects of a set against its masks.

    Attributes:
        set_name: of the set.
        frames: with a mask.
        unknown_share: of the pixels, the average precision of a map that tells nothing; None without both kinds of pixels.
        average_precision: of the pixels; None where it is unknown, as for the next ones.
        fpr95: share of the known pixels that reach the value that 95 % of the unknown ones reach.
        auroc: of the pixels.
        objects: in the masks.
        caught: of those, found in part or whole.
        false_objects: found, with no unknown pixel.
        siou: mean adjusted intersection over union of the objects.
        ppv: mean share of a found object that is unknown.
        mean_f1: over levels of both.
    """

    set_name: str
    frames: int
    unknown_share: float | None
    average_precision: Share | None
    fpr95: Share | None
    auroc: Share | None
    objects: int
    caught: int
    false_objects: int
    siou: Share | None
    ppv: Share | None
    mean_f1: Share | None


@dataclass(frozen=True)
class EvaluatedAnswers:
    """All of them; None for what the bundle does not tell, or of which nothing is known.

    Attributes:
        quality: expected quality.
        causes: causes.
        tiles: abnormal tiles.
        objects: unknown objects on frames in distribution.
        masks: maps and objects of each set with masks.
    """

    quality: EvaluatedQuality | None = None
    causes: EvaluatedCauses | None = None
    tiles: EvaluatedTiles | None = None
    objects: EvaluatedObjects | None = None
    masks: tuple[EvaluatedMasks, ...] = field(default_factory=tuple)
