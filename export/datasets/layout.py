# SPDX-License-Identifier: Apache-2.0
"""How a published data set lies on the disk, and what its labels say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from export.datasets.label_encoding import LabelEncoding, encoding_of_files

KNOWN_OR_UNKNOWN = ("known", "unknown")
"""Classes of the data sets whose labels are masks of unknown objects."""


@dataclass(frozen=True)
class DatasetSplit:
    """Files of a split, as :mod:`export.datasets.path_template` reads them.

    A label belongs to the frame that has the same values in the fields that both templates have.

    Attributes:
        frames: template of the frames, below the root. ``{part}`` is a part of its own, such as a kind of weather;
            ``{drive}`` the recording.
        labels: template of the label files; None where none are published.
        drives: that the split consists of, where the folders do not tell; empty for all.
        labels_choose: the frames of the split are those that have a label.
        reference: frames of ordinary conditions, which those of the other splits can be compared with.
    """

    frames: str
    labels: str | None = None
    drives: tuple[str, ...] = ()
    labels_choose: bool = False
    reference: bool = False


@dataclass(frozen=True, eq=False)
class DatasetLayout:
    """A published data set.

    Attributes:
        name: by which it is opened.
        title: in words.
        home: address of its page.
        terms: of use, in a few words.
        size: of its frames, in words.
        good_for: what it shows of a monitor.
        classes: names, in the order of their numbers.
        encoding: of the label files.
        other_encodings: of label files that are published under the same names and hold other numbers.
        splits: by name.
        usual_split: which unseen frames are taken from.
        folders: names under which its root folder is looked for, beside its own.
        one_size: all frames have one size.
    """

    name: str
    title: str
    home: str
    terms: str
    size: str
    good_for: str
    classes: tuple[str, ...]
    encoding: LabelEncoding
    splits: Mapping[str, DatasetSplit]
    usual_split: str
    folders: tuple[str, ...] = ()
    one_size: bool = True
    other_encodings: tuple[LabelEncoding, ...] = ()

    def encoding_of(self, labels: Iterable[Path]) -> LabelEncoding:
        """What these label files stand for: where several kinds are published, that of the first one that tells.

        Raises:
            UsageError: a file up to there cannot be read, or is of no kind.
        """
        paths = list(labels)
        if not paths or not self.other_encodings:
            return self.encoding
        return encoding_of_files((self.encoding, *self.other_encodings), paths)

    @property
    def masks_unknown(self) -> bool:
        """Whether its labels are masks: 0 for what is known, 1 for unknown objects."""
        return self.classes == KNOWN_OR_UNKNOWN


def splits(
    frames: str, labels: str, labelled: Iterable[str], unlabelled: Iterable[str] = ()
) -> dict[str, DatasetSplit]:
    """Splits whose paths differ in their name alone, which ``{split}`` stands for.

    Args:
        frames: template of the frames.
        labels: template of the label files.
        labelled: names of the splits with labels.
        unlabelled: names of those whose labels are not published.
    """

    def of(name: str, template: str) -> str:
        return template.replace("{split}", name)

    with_labels = {name: DatasetSplit(of(name, frames), of(name, labels)) for name in labelled}
    return with_labels | {name: DatasetSplit(of(name, frames)) for name in unlabelled}
