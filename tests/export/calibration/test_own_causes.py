# SPDX-License-Identifier: Apache-2.0
"""Kinds of degradation of a user's own: their names, their frames, and what is refused."""

import shutil
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from export.anomalies import ANOMALIES
from export.calibration.answer_options import AnswerOptions
from export.calibration.cause_names import FEWEST_OWN, read_causes
from export.calibration.frame_split import see_frames, split_frames
from export.calibration.options import CalibrationOptions
from export.calibration.own_causes import OwnCause, own_causes
from export.errors import CalibrationError, ExportError, UsageError
from export.frames.files import FrameFiles
from export.frames.named_paths import named_path_words
from export.option_table import command_words, with_words
from export.reporter import SILENT

NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=12).filter(
    lambda name: name[0].isalpha() and name.casefold().replace("-", "_") not in (*ANOMALIES, "none", "unknown")
)


def _write(folder: Path, count: int, seed: int, size: tuple[int, int] = (12, 16)) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def frames(tmp_path: Path) -> FrameFiles:
    """Twenty-four frames of noise."""
    return FrameFiles((_write(tmp_path / "calibration", 24, 1),))


@given(st.dictionaries(NAMES, st.lists(NAMES.map(Path), min_size=1, max_size=3).map(tuple), min_size=1, max_size=3))
def test_causes_written_as_words_are_read_as_they_were(causes: dict[str, tuple[Path, ...]]) -> None:
    if len({name.casefold().replace("-", "_") for name in causes}) < len(causes):
        return
    assert read_causes(named_path_words(causes)) == causes
    options = AnswerOptions(("cause",), causes=causes)
    assert with_words(AnswerOptions(), command_words(options)) == options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["soiling"], r"expected NAME=PATH\[,PATH...\] for frames of a cause, got 'soiling'"),
        (["=dir"], "expected NAME=PATH"),
        (["soiling="], "expected NAME=PATH"),
        (["two words=dir"], "expected a cause named by a letter"),
        (["7up=dir"], "expected a cause named by a letter"),
        ([f"{'a' * 41}=dir"], "expected a cause named by a letter"),
        (["fog=dir"], "fog, which stands for something else"),
        (["Sun-Flare=dir"], "Sun-Flare, which stands for something else"),
        (["none=dir"], "none, which stands for something else"),
        (["Unknown=dir"], "Unknown, which stands for something else"),
        (["ice=a", "Ice=b"], "Ice, which stands for something else"),
        (["ice=a", "ice=b"], "'ice', which is taken"),
    ],
)
def test_read_causes_of_names_that_no_kind_can_have_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_causes(words)


@pytest.mark.parametrize("name", list(ANOMALIES))
def test_answer_options_of_a_cause_with_the_name_of_a_built_in_kind_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="stands for something else"):
        AnswerOptions(("cause",), causes={name: (Path("dir"),)})


def test_answer_options_of_a_cause_without_the_answer_are_refused() -> None:
    with pytest.raises(UsageError, match="expected --cause with --answers cause, got --answers quality"):
        AnswerOptions(("quality",), causes={"soiling": (Path("dir"),)})


def test_own_causes_of_folders_that_can_be_used_are_found_with_their_drives(frames: FrameFiles, tmp_path: Path) -> None:
    one, two = _write(tmp_path / "soiled" / "a", FEWEST_OWN - 5, 2), _write(tmp_path / "soiled" / "b", 5, 3)
    (own,) = own_causes({"soiling": (one, two)}, frames)
    assert (own.name, len(own.files)) == ("soiling", FEWEST_OWN)
    assert [own.drives.count(f"soiling: {name}") for name in "ab"] == [FEWEST_OWN - 5, 5]
    split = split_frames(frames.paths, CalibrationOptions(rates={"10%": 0.1}))
    assert see_frames(frames, split, SILENT, (own,))[1] == see_frames(frames, split, SILENT)[1]


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("no folder", UsageError, "soiled"),
        ("empty", UsageError, "soiled"),
        ("few", CalibrationError, rf"expected at least {FEWEST_OWN} frames of the cause soiling, got {FEWEST_OWN - 1}"),
        ("size", UsageError, "of the size of the calibration frames, 12 x 16 .*, got 16 x 12"),
        ("same files", UsageError, "frames of the cause soiling that are no calibration frames, got 24 of 24"),
        ("same folder twice", UsageError, f"frames of the cause ice that are no frames of soiling, got {FEWEST_OWN}"),
    ],
)
def test_own_causes_of_frames_that_cannot_be_used_are_refused(
    fault: str, error: type[ExportError], message: str, frames: FrameFiles, tmp_path: Path
) -> None:
    folder = tmp_path / "soiled"
    causes = {"soiling": (folder,)}
    if fault == "empty":
        folder.mkdir()
    elif fault == "same files":
        causes = {"soiling": (frames.paths[0].parent,)}
    elif fault != "no folder":
        _write(folder, FEWEST_OWN - (fault == "few"), 2, (16, 12) if fault == "size" else (12, 16))
    if fault == "same folder twice":
        causes["ice"] = (folder,)
    with pytest.raises(error, match=message):
        own_causes(causes, frames)


def test_see_frames_of_copies_of_calibration_frames_among_those_of_a_cause_is_refused(
    frames: FrameFiles, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "soiled", FEWEST_OWN, 2)
    shutil.copy(frames.paths[3], folder / "copy.png")
    causes = own_causes({"soiling": (folder,)}, frames)
    split = split_frames(frames.paths, CalibrationOptions(rates={"10%": 0.1}))
    with pytest.raises(UsageError, match=r"frames of the cause soiling than .*copy\.png has the pixels of 3\.png"):
        see_frames(frames, split, SILENT, causes)


def test_see_frames_of_frames_of_two_causes_with_the_same_pixels_is_refused(frames: FrameFiles, tmp_path: Path) -> None:
    one, two = (_write(tmp_path / name, FEWEST_OWN, 2) for name in ("soiled", "iced"))
    causes = own_causes({"soiling": (one,), "ice": (two,)}, frames)
    split = split_frames(frames.paths, CalibrationOptions(rates={"10%": 0.1}))
    with pytest.raises(UsageError, match=f"got {FEWEST_OWN} of {FEWEST_OWN} that are in both"):
        see_frames(frames, split, SILENT, causes)


def test_own_cause_of_one_folder_is_one_drive(tmp_path: Path) -> None:
    own = OwnCause.of("soiling", FrameFiles((_write(tmp_path / "soiled", 3, 2),)))
    assert set(own.drives) == {"soiling: soiled"}
