# SPDX-License-Identifier: Apache-2.0
"""Options of what a bundle answers beside the score, for an export and for a recalibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from export.calibration.cause_names import FEWEST_OWN, check_cause_names, read_causes
from export.errors import UsageError
from export.frames.named_paths import named_path_words
from export.option_table import Words, flag

QUALITY, CAUSE, TILES, NOTHING = "quality", "cause", "tiles", "none"
GROUP = "answers beside the score"


def reads_degraded(wanted: frozenset[str]) -> bool:
    """Whether answers are fitted on degraded frames: all but tiles are."""
    return bool(wanted - {TILES})


def changed_frames(wanted: frozenset[str]) -> str:
    """What answers are fitted to, in words."""
    kinds = ["degraded"] * reads_degraded(wanted) + ["patched"] * (TILES in wanted)
    return f"{' and '.join(kinds)} calibration frames"


@dataclass(frozen=True)
class AnswerOptions:
    """Options of the answers; each field's text is what ``--help`` says of its flag.

    Raises:
        UsageError: ``none`` together with an answer, labels or causes without the answer that they belong to, or a cause that
            has the name of something else.
    """

    answers: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "quality: expected quality of the segmentation, with an interval; cause: kind and severity of a degradation; "
            "tiles: which parts of the picture are abnormal; none. They are fitted on changed calibration frames: quality "
            "and cause on degraded ones, some 3,000 passes of the network together, tiles on patched ones, as many again "
            "(default: none; for calibrate those of the bundle)",
            GROUP,
            choices=(QUALITY, CAUSE, TILES, NOTHING),
        ),
    )
    labels: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "folders of label files for --answers quality: PNG class ids under the names of the frames; with them the "
            "quality is the mIoU, without them the agreement with the class map of the clean frame",
            GROUP,
            metavar="DIR",
        ),
    )
    ignored_labels: tuple[int, ...] = field(
        default=(255,),
        metadata=flag("ids in the labels that are no class", GROUP, name="--ignore-label", metavar="ID", most=255),
    )

    causes: Mapping[str, tuple[Path, ...]] = field(
        default_factory=dict,
        metadata=flag(
            f"a kind of degradation of your own for --answers cause, by frames that show it, {FEWEST_OWN} or more; may be "
            "repeated. Its severity is unknown, and the quality is not fitted on it",
            GROUP,
            name="--cause",
            metavar="NAME=DIR[,DIR...]",
            words=Words(read_causes, named_path_words),
            adds_up=True,
        ),
    )

    def __post_init__(self) -> None:
        check_cause_names(self.causes)
        if NOTHING in self.answers and len(set(self.answers)) > 1:
            raise UsageError(
                f"expected --answers {NOTHING} alone, got {' '.join(self.answers)}: drop {NOTHING}, or the others"
            )
        if self.labels and self.answers and QUALITY not in self.answers:
            raise UsageError(
                f"expected --labels with --answers {QUALITY}, got --answers {' '.join(self.answers)}: the quality is told by "
                "them; add it, or drop --labels"
            )
        if self.causes and self.answers and CAUSE not in self.answers:
            raise UsageError(
                f"expected --cause with --answers {CAUSE}, got --answers {' '.join(self.answers)}: it is one of its kinds; "
                "add it, or drop --cause"
            )

    @property
    def wanted(self) -> frozenset[str]:
        """The answers that are asked for."""
        return frozenset(self.answers) - {NOTHING}

    def asdict(self) -> dict[str, object]:
        """JSON-ready form for the manifest."""
        return {
            "answers": list(self.answers),
            "labels": [str(path) for path in self.labels],
            "ignored_labels": list(self.ignored_labels),
            "causes": {name: [str(path) for path in paths] for name, paths in self.causes.items()},
        }
