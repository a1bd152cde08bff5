# SPDX-License-Identifier: Apache-2.0
"""Options of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from export.anomalies import ANOMALIES, COMMON_KINDS, SEVERITIES
from export.evaluation.named_sets import kind_words, read_kinds, read_named_sets
from export.frames.named_paths import named_path_words
from export.frames.reading_options import ReadingOptions
from export.option_table import MOST_SEED, Words, flag

_FRAMES, _FIGURES = "frames", "figures"

HurtingRule = Literal["labels", "agreement"]
"""How to tell whether a shift hurts the segmentation, see :mod:`export.evaluation.hurting`."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of an evaluation; each field's text is what ``--help`` says of its flag."""

    bundle: Path = field(
        metadata=flag(
            "the bundle that export or calibrate wrote, or a .zip or .tar of it", name="bundle", metavar="BUNDLE"
        )
    )
    ind: tuple[Path, ...] = field(
        metadata=flag(
            "in-distribution frames that neither network, detector nor thresholds have seen", _FRAMES, metavar="PATH"
        )
    )
    ood: Mapping[str, tuple[Path, ...]] = field(
        default_factory=dict,
        metadata=flag(
            "out-of-distribution frames by name: folders, files or quoted patterns",
            _FRAMES,
            metavar="NAME=PATH[,PATH...]",
            words=Words(read_named_sets, named_path_words),
        ),
    )
    labels: tuple[Path, ...] = field(
        default=(),
        metadata=flag("folders of label files: PNG class ids under the names of the frames", _FRAMES, metavar="DIR"),
    )
    ignored_labels: tuple[int, ...] = field(
        default=(255,),
        metadata=flag(
            "ids in the labels that are no class", _FRAMES, name="--ignore-label", metavar="ID", least=0, most=255
        ),
    )
    masks: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "folders of masks of unknown objects: PNG numbers under the names of the frames, as many pixels as these; the "
            "bundle's anomaly map and objects are compared with them",
            _FRAMES,
            metavar="DIR",
        ),
    )
    unknown_values: tuple[int, ...] | None = field(
        default=None,
        metadata=flag(
            "numbers of unknown objects in masks (default: 1)",
            _FRAMES,
            name="--unknown-mask",
            metavar="ID",
            least=0,
            most=255,
        ),
    )
    known_values: tuple[int, ...] | None = field(
        default=None,
        metadata=flag(
            "numbers of everything else in masks (default: 0)",
            _FRAMES,
            name="--known-mask",
            metavar="ID",
            least=0,
            most=255,
        ),
    )
    void_values: tuple[int, ...] | None = field(
        default=None,
        metadata=flag(
            "numbers in masks of pixels that do not count (default: 255, unless it stands for something else)",
            _FRAMES,
            name="--void-mask",
            metavar="ID",
            least=0,
            most=255,
        ),
    )
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    kinds: tuple[str, ...] = field(
        default=COMMON_KINDS,
        metadata=flag(
            f"degradations to make of the in-distribution frames: common, the first {len(COMMON_KINDS)} of the list; all; "
            f"none; or some of {', '.join(ANOMALIES)}",
            _FRAMES,
            name="--synthetic",
            metavar="KIND",
            words=Words(read_kinds, kind_words),
        ),
    )
    severities: tuple[int, ...] = field(
        default=SEVERITIES, metadata=flag("severities of the degradations, from 1 to 5", _FRAMES, metavar="S")
    )
    every: int = field(
        default=1,
        metadata=flag("degrade every N-th in-distribution frame", _FRAMES, metavar="N", least=1, most=1_000_000),
    )
    group_by: str = field(
        default="none",
        metadata=flag(
            "rule that assigns frames to drives, which the intervals then resample whole: folder; prefix, the file name up "
            "to its first underscore; none, all one drive; or a CSV table with the columns frame and drive",
            _FRAMES,
            metavar="RULE",
        ),
    )
    fit_frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag("in-distribution frames to fit other detectors on, to compare with", _FRAMES, metavar="PATH"),
    )
    operating_point: str | None = field(
        default=None,
        metadata=flag("operating point whose threshold is used (default: the bundle's)", _FIGURES, metavar="NAME"),
    )
    hurting: HurtingRule | None = field(
        default=None,
        metadata=flag(
            "how to tell which shifts hurt the segmentation: by the mIoU lost, or by agreement with the "
            "clean frames' class maps (default: labels where there are any)",
            _FIGURES,
        ),
    )
    seed: int = field(default=0, metadata=flag("seed of degradations and intervals", _FIGURES, least=0, most=MOST_SEED))
    threads: int | None = field(
        default=None,
        metadata=flag("CPU threads (default: one for each core)", _FIGURES, metavar="N", least=1, most=1024),
    )
