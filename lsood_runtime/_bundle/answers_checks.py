# SPDX-License-Identifier: Apache-2.0
"""Check what a manifest states of the answers beside the score."""

from collections.abc import Iterator
from itertools import pairwise

from lsood_runtime._bundle.answers_records import (
    LARGEST_SEVERITY,
    MEASURES,
    NO_CAUSE,
    UNKNOWN,
    AnswersRecord,
    CauseRecord,
    ConfidenceRecord,
    MapRecord,
    QualityRecord,
    TilesRecord,
)
from lsood_runtime._bundle.records import GoldenRecord, SegmentationRecord
from lsood_runtime._bundle.value_checks import Check
from lsood_runtime._tiles.grid import MOST_COLUMNS, MOST_ROWS

ANSWER_SHARES = {"cpu": 0.005, "gpu": 0.05}
"""How far an answer on a golden frame may be off, by kind of provider, as a share of what the answer ranges over."""

LARGEST_SHARE = {"fixed": ANSWER_SHARES, "input": ANSWER_SHARES, "fresh": {"cpu": 1.0, "gpu": 1.0}}
"""The largest such share by mode of the masks: with fresh ones chance moves an answer as well."""

_ROUNDING = 1e-9
_SEVERITIES = {"1", "2", "3", "4", "5"}


def of_answers(answers: AnswersRecord | None, segmentation: SegmentationRecord) -> Iterator[Check]:
    """Check that kinds have names of their own, counts and shares are in range, and quality is told of a segmentation."""
    if answers is None:
        return
    kinds, counts = answers.kinds, (answers.frames, answers.drives, answers.rows)
    told = (answers.quality, answers.cause, answers.tiles, answers.map)
    yield "answers", any(answer is not None for answer in told), "an answer, or null", answers
    limit, alone = answers.novelty_limit, answers.quality is None and answers.cause is None
    yield (
        "answers.novelty_limit",
        alone if limit is None else limit > 0,
        "above 0, or null without quality and cause",
        limit,
    )
    named = all(map(_is_kind, kinds)) and len(kinds) == len(set(kinds)) and (len(kinds) > 0 or limit is None)
    yield "answers.kinds", named, "one or more kinds with names of their own", kinds
    yield "answers.frames", min(counts) >= 1 and answers.rows >= answers.frames >= answers.drives, "counts", counts
    if answers.quality is not None:
        yield "answers.quality", segmentation.kind != "none", "null without a segmentation", answers.quality
        yield from _of_quality(answers.quality, kinds)
    if answers.cause is not None:
        yield from _of_cause(answers.cause, kinds)
    if answers.tiles is not None:
        yield from _of_tiles(answers.tiles)
    if answers.map is not None:
        yield "answers.map", segmentation.kind != "none", "null without a segmentation", answers.map
        yield from _of_map(answers.map, segmentation)
    if answers.confidence is not None:
        yield "answers.confidence", answers.map is not None, "null without a map", answers.confidence
        yield from _of_confidence(answers.confidence, segmentation)


def of_golden(golden: GoldenRecord, answers: AnswersRecord | None, mode: str) -> Iterator[Check]:
    """Check that golden frames have tolerances for answers where there are any, none above what an export writes."""
    shares, providers = golden.answers, set() if answers is None else {"cpu", "gpu"}
    yield "golden.answers", shares.keys() == providers, " and ".join(sorted(providers)) or "nothing", shares
    for provider, share in shares.items():
        largest = LARGEST_SHARE[mode][provider]
        yield f"golden.answers.{provider}", 0 <= share <= largest, f"from 0 to {largest:g}", share


def _is_kind(name: str) -> bool:
    """Whether a name can stand for a kind of degradation: a word, and not one of those for no kind."""
    return name not in ("", NO_CAUSE, UNKNOWN) and not any(character.isspace() for character in name)


def _of_quality(quality: QualityRecord, kinds: tuple[str, ...]) -> Iterator[Check]:
    where = "answers.quality"
    yield f"{where}.measure", quality.measure in MEASURES, " or ".join(MEASURES), quality.measure
    yield f"{where}.coverage", 0 < quality.coverage < 1, "between 0 and 1", quality.coverage
    worst = quality.worst_kind
    yield f"{where}.worst_kind", worst in (NO_CAUSE, *kinds), "one of answers.kinds", worst
    for name in (
        "covered",
        "worst_kind_covered",
        "median_width",
        "constant_width",
        "mean_absolute_error",
        "constant_error",
        "at_most",
    ):
        value = getattr(quality, name)
        yield f"{where}.{name}", 0 <= value <= 1, "from 0 to 1", value
    lows = quality.clean_low
    ascending = len(lows) > 0 and all(0 <= a <= b <= 1 for a, b in pairwise((*lows, 1.0)))
    yield f"{where}.clean_low", ascending, "one or more ascending numbers from 0 to 1", lows
    drives = quality.clean_drives
    whole = not drives or (len(drives) == len(lows) and min(drives) >= 0)
    yield f"{where}.clean_drives", whole, "nothing, or a number of at least 0 for each of clean_low", drives
    ends = list(zip(quality.rate_low, quality.rate_high, strict=False))
    counted = len(quality.rate_low) == len(quality.rate_high) in (0, len(lows) + 1)
    yield f"{where}.rate_low", counted, "as many as rate_high, none or one more than clean_low", quality.rate_low
    yield f"{where}.rate_high", all(0 <= a <= b <= 1 for a, b in ends), "shares of at least rate_low", quality.rate_high
    correlation = quality.spearman
    yield f"{where}.spearman", correlation is None or -1 <= correlation <= 1, "from -1 to 1, or null", correlation


def _of_cause(cause: CauseRecord, kinds: tuple[str, ...]) -> Iterator[Check]:
    where = "answers.cause"
    yield f"{where}.names", cause.names == (NO_CAUSE, *kinds), f"{NO_CAUSE}, then answers.kinds", cause.names
    yield f"{where}.coverage", 0 < cause.coverage < 1, "between 0 and 1", cause.coverage
    yield f"{where}.right", cause.right.keys() <= _SEVERITIES, "shares by severity, 1 to 5", cause.right
    yield f"{where}.own", cause.own.keys() <= set(kinds), "shares by kinds of answers.kinds", cause.own
    shares = {"set_threshold": cause.set_threshold, "clean_kept": cause.clean_kept, **cause.right, **cause.own}
    yield where, all(0 <= share <= 1 for share in shares.values()), "shares from 0 to 1", shares
    error = cause.severity_error
    yield f"{where}.severity_error", 0 <= error <= LARGEST_SEVERITY, f"from 0 to {LARGEST_SEVERITY:g}", error


def _of_tiles(tiles: TilesRecord) -> Iterator[Check]:
    where, grid = "answers.tiles", (tiles.rows, tiles.columns)
    fits = 1 <= tiles.rows <= MOST_ROWS and 1 <= tiles.columns <= MOST_COLUMNS
    yield f"{where}.rows", fits, f"rows and columns from 1 to {MOST_ROWS}", grid
    yield f"{where}.layers", len(tiles.layers) > 0, "one or more layers", tiles.layers
    limits = (tiles.neighbor_limit, tiles.limit)
    yield f"{where}.limit", 0 < tiles.neighbor_limit <= tiles.limit, "above 0, and neighbor_limit at most that", limits
    yield f"{where}.guarantee", tiles.guarantee in ("drives", "frames"), "drives or frames", tiles.guarantee
    yield f"{where}.false_alarm_rate", 0 < tiles.false_alarm_rate < 1, "between 0 and 1", tiles.false_alarm_rate
    yield f"{where}.clean_kept", 0 <= tiles.clean_kept <= 1, "from 0 to 1", tiles.clean_kept
    yield from _of_limit(where, tiles)


def _of_map(told: MapRecord, segmentation: SegmentationRecord) -> Iterator[Check]:
    where, grid = "answers.map", (told.rows, told.columns)
    sides = segmentation.height or 0, segmentation.width or 0
    fits = all(1 <= cells <= pixels for cells, pixels in zip(grid, sides, strict=True))
    yield f"{where}.rows", fits, f"rows and columns of at most those of the segmentation, {sides}", grid
    yield f"{where}.slopes", len(told.slopes) > 0, "one or more scores", told.slopes
    yield f"{where}.smoothing", told.smoothing >= 1 and told.smoothing % 2 == 1, "an odd side", told.smoothing
    yield f"{where}.smallest_object", told.smallest_object >= 1, "1 or more", told.smallest_object
    yield f"{where}.guarantee", told.guarantee in ("drives", "frames"), "drives or frames", told.guarantee
    rates = (told.pixel_rate, told.false_alarm_rate)
    yield f"{where}.false_alarm_rate", all(0 < rate < 1 for rate in rates), "rates between 0 and 1", rates
    shares = (
        told.clean_kept,
        told.average_precision,
        told.fpr95,
        told.best_single_average_precision,
        told.best_single_fpr95,
    )
    yield where, all(0 <= share <= 1 for share in shares), "shares from 0 to 1", shares
    yield from _of_limit(where, told)
    known = all(0 <= number < (segmentation.num_classes or 0) for number in told.road_classes)
    yield f"{where}.road_classes", known, "classes of the segmentation", told.road_classes
    yield f"{where}.own_objects", told.own_objects >= 0, "0 or more", told.own_objects


def _of_limit(where: str, told: TilesRecord | MapRecord) -> Iterator[Check]:
    """Check that frames that set a limit, where they are recorded, can promise its rate."""
    counts = (told.limit_frames, told.limit_drives)
    recorded = 1 <= told.limit_drives <= told.limit_frames
    yield f"{where}.limit_frames", recorded or counts == (0, 0), "0, or as many as limit_drives and more", counts
    units = told.limit_drives if told.guarantee == "drives" else told.limit_frames
    least = 1 / (units + 1) - _ROUNDING
    rate = told.false_alarm_rate
    yield f"{where}.false_alarm_rate", not recorded or rate >= least, f"what {units} {told.guarantee} can promise", rate


def _of_confidence(told: ConfidenceRecord, segmentation: SegmentationRecord) -> Iterator[Check]:
    where = "answers.confidence"
    yield f"{where}.temperature", told.temperature > 0, "above 0", told.temperature
    yield f"{where}.frames", told.frames >= told.drives >= 1, "counts", (told.frames, told.drives)
    losses = (told.loss_before, told.loss)
    yield f"{where}.loss", min(losses) >= 0, "0 or more", losses
    by_class = (told.shares, told.class_accuracy, told.class_confidence)
    count = segmentation.num_classes or 0
    fits = all(len(numbers) == count for numbers in by_class)
    yield f"{where}.shares", fits, f"a number for each of the {count} classes of the segmentation", told.shares
    shares = (told.error_before, told.error, told.accuracy, *(number for numbers in by_class for number in numbers))
    yield where, all(0 <= share <= 1 for share in shares), "shares from 0 to 1", shares
