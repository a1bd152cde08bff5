# SPDX-License-Identifier: Apache-2.0
"""Options of what a bundle answers beside the score, for an export and for a recalibration."""

from dataclasses import dataclass, field
from pathlib import Path

from export.errors import UsageError
from export.option_table import flag

QUALITY, CAUSE, NOTHING = "quality", "cause", "none"
_GROUP = "answers beside the score"


@dataclass(frozen=True)
class AnswerOptions:
    """Options of the answers; each field's text is what ``--help`` says of its flag.

    Raises:
        UsageError: ``none`` together with an answer, or labels without the answer that needs them.
    """

    answers: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "quality: expected quality of the segmentation, with an interval; cause: kind and severity of a degradation; "
            "none. They are fitted on degraded calibration frames, some 3,000 passes of the network (default: none; for "
            "calibrate those of the bundle)",
            _GROUP,
            choices=(QUALITY, CAUSE, NOTHING),
        ),
    )
    labels: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "folders of label files for --answers quality: PNG class ids under the names of the frames; with them the "
            "quality is the mIoU, without them the agreement with the class map of the clean frame",
            _GROUP,
            metavar="DIR",
        ),
    )
    ignored_labels: tuple[int, ...] = field(
        default=(255,),
        metadata=flag("ids in the labels that are no class", _GROUP, name="--ignore-label", metavar="ID", most=255),
    )

    def __post_init__(self) -> None:
        if NOTHING in self.answers and len(set(self.answers)) > 1:
            raise UsageError(
                f"expected --answers {NOTHING} alone, got {' '.join(self.answers)}: drop {NOTHING}, or the others"
            )
        if self.labels and self.answers and QUALITY not in self.answers:
            raise UsageError(
                f"expected --labels with --answers {QUALITY}, got --answers {' '.join(self.answers)}: the quality is told by "
                "them; add it, or drop --labels"
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
        }
