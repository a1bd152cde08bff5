# SPDX-License-Identifier: Apache-2.0
"""Options of what a bundle answers beside the score, for an export and for a recalibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.calibration.cause_names import FEWEST_OWN, check_cause_names, read_causes
from export.errors import UsageError
from export.frames.named_paths import named_path_words
from export.option_table import Words, flag

QUALITY, CAUSE, TILES, MAP, NOTHING = "quality", "cause", "tiles", "map", "none"
GROUP = "answers beside the score"


def reads_degraded(wanted: frozenset[str]) -> bool:
    """Whether answers are fitted on degraded frames: all but tiles and map are."""
    return bool(wanted - {TILES, MAP})


def changed_frames(wanted: frozenset[str]) -> str:
    """What answers are fitted to, in words."""
    kinds = ["degraded"] * reads_degraded(wanted) + ["patched"] * (TILES in wanted)
    changed = [f"{' and '.join(kinds)} calibration frames"] if kinds else []
    return " and ".join(changed + ["calibration frames with pasted objects"] * (MAP in wanted))


def check_road_classes(ids: Sequence[int], num_classes: int | None) -> None:
    """Refuse ids of classes that the segmentation does not have.

    Raises:
        UsageError: it names one.
    """
    count = num_classes or 0
    beyond = [number for number in ids if number >= count]
    if beyond:
        raise UsageError(
            f"expected --road-class of the {count} classes of the segmentation, 0 to {count - 1}, got {beyond[0]}: name "
            "classes that it has"
        )


@dataclass(frozen=True)
class AnswerOptions:
    """Options of the answers; each field's text is what ``--help`` says of its flag.

    Raises:
        UsageError: ``none`` together with an answer; labels, causes, classes of the road or objects without the answer that
            they belong to; or a cause that has the name of something else.
    """

    answers: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "quality: expected quality of the segmentation, with an interval; cause: kind and severity of a degradation; "
            "tiles: which parts of the picture are abnormal; map: how unknown each cell of the picture is, and which objects "
            "are; none. They are fitted on changed calibration frames: quality and cause on degraded ones, some 3,000 passes "
            "of the network together, tiles on patched ones, as many again, map on ones with pasted objects, 900 at most "
            "(default: none; for calibrate those of the bundle)",
            GROUP,
            choices=(QUALITY, CAUSE, TILES, MAP, NOTHING),
        ),
    )
    labels: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "folders of label files for --answers quality and map: PNG class ids under the names of the frames; with them "
            "the quality is the mIoU, without them the agreement with the class map of the clean frame, and with a map the "
            "confidence of each class is calibrated",
            GROUP,
            metavar="DIR",
        ),
    )
    ignored_labels: tuple[int, ...] = field(
        default=(255,),
        metadata=flag(
            "ids in the labels that are no class", GROUP, name="--ignore-label", metavar="ID", least=0, most=255
        ),
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

    road_classes: tuple[int, ...] = field(
        default=(),
        metadata=flag(
            "ids of the classes that can be driven on, for --answers map: objects have their distance to them (default: none "
            "are known; for calibrate those of the bundle)",
            GROUP,
            name="--road-class",
            metavar="ID",
            least=0,
            most=254,
        ),
    )

    objects: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "folders of cut-outs of your own for --answers map, pictures with alpha: half of the objects that the map learns "
            "from are of them, and none that it is judged by (default: drawn objects alone)",
            GROUP,
            metavar="DIR",
        ),
    )

    def __post_init__(self) -> None:
        check_cause_names(self.causes)
        if NOTHING in self.answers and len(set(self.answers)) > 1:
            raise UsageError(
                f"expected --answers {NOTHING} alone, got {' '.join(self.answers)}: drop {NOTHING}, or the others"
            )
        if self.labels and self.answers and not {QUALITY, MAP} & set(self.answers):
            raise UsageError(
                f"expected --labels with --answers {QUALITY} or {MAP}, got --answers {' '.join(self.answers)}: they are "
                "fitted with them; add one of the two, or drop --labels"
            )
        if self.causes and self.answers and CAUSE not in self.answers:
            raise UsageError(
                f"expected --cause with --answers {CAUSE}, got --answers {' '.join(self.answers)}: it is one of its kinds; "
                "add it, or drop --cause"
            )

        if self.road_classes and self.answers and MAP not in self.answers:
            raise UsageError(
                f"expected --road-class with --answers {MAP}, got --answers {' '.join(self.answers)}: it is about its "
                f"objects; add {MAP}, or drop --road-class"
            )
        if self.objects and self.answers and MAP not in self.answers:
            raise UsageError(
                f"expected --objects with --answers {MAP}, got --answers {' '.join(self.answers)}: the map alone learns from "
                f"them; add {MAP}, or drop --objects"
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
            **({"road_classes": list(self.road_classes)} if self.road_classes else {}),
            **({"objects": [str(path) for path in self.objects]} if self.objects else {}),
        }
