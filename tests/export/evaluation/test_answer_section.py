# SPDX-License-Identifier: Apache-2.0
"""The section of a report about answers: true for few frames, and legible with every kind."""

import re
from dataclasses import replace
from html import unescape
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from export.anomalies import ANOMALIES, COMMON_KINDS
from export.bundle.evaluated_sentences import shown_kind
from export.evaluation.answer_charts import confusion_chart, coverage_chart, scatter_chart
from export.evaluation.answer_figures import AnswerFigures, answer_figures
from export.evaluation.answer_section import TITLE, answer_section
from export.evaluation.answer_summary import answer_summary
from export.evaluation.answered_frames import AnsweredFrames
from export.evaluation.result import Evaluation
from export.evaluation.tile_charts import tile_chart
from tests.export.evaluation.drawn_answers import drawn_frames, drawn_record, with_tiles

UNCOMMON = tuple(kind for kind in ANOMALIES if kind not in COMMON_KINDS)


def section_of(figures: AnswerFigures | None) -> str:
    options = SimpleNamespace(group_by="none")
    result = cast("Evaluation", SimpleNamespace(answers=figures, drive_alarms=(), options=options))
    return answer_section(result, lambda title, caption, svg: f"<figure><h3>{title}</h3>{svg}<p>{caption}</p></figure>")


def titles_of(section: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", section)


def clean_alone(frames: AnsweredFrames, count: int) -> AnsweredFrames:
    """The first frames in distribution and no others."""
    rows = {
        name: value[:count] for name, value in vars(frames).items() if isinstance(value, np.ndarray)
    }  # every array has a row a frame
    own = frames.drives[0].take(np.arange(count))
    return replace(frames, set_names=frames.set_names[:1], drives=(own,), **rows)


def test_answer_section_without_answers_is_empty() -> None:
    assert section_of(None) == ""


def test_answer_section_of_drawn_answers_has_all_charts_and_tells_kinds_of_the_fit_apart() -> None:
    figures = answer_figures(
        drawn_frames(np.random.default_rng(0), ("fog", "mud"), ("frost",)), drawn_record(("fog", "mud"))
    )
    section = section_of(figures)
    assert titles_of(section) == [
        "Expected and true quality",
        "Does the interval hold what it promises?",
        "What the frames are called",
        "Quality by severity",
        "Quality of the accepted frames",
    ]
    text = unescape(re.sub(r"<[^>]+>", " ", section))
    assert TITLE in text
    for words in ("kinds of the fit", "kinds not in the fit", "promised 90%", "The interval holds least of", "frost *"):
        assert words in text


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("kinds", "others"), [(("fog",), ()), (COMMON_KINDS, UNCOMMON), (tuple(ANOMALIES), ())])
def test_charts_of_answers_name_every_kind_without_overlap(
    kinds: tuple[str, ...], others: tuple[str, ...], seed: int
) -> None:
    frames = drawn_frames(np.random.default_rng(seed), kinds, others, each=6, severities=(2, 4))
    figures = answer_figures(frames, drawn_record(kinds))
    for svg in (coverage_chart(figures), confusion_chart(figures)):
        places = []
        for group in figures.by_kind:
            name = re.escape(shown_kind(group.name))
            found = re.findall(
                rf'<text style="font-size: ([\d.]+)px[^>]*? y="([\d.]+)"[^>]*?>{name}(?: \*)?</text>', svg
            )
            assert found, group.name
            places.append((float(found[0][1]), float(found[0][0])))
        assert all(abs(b[0] - a[0]) > 0.95 * a[1] for a, b in pairwise(sorted(places)))
    named = scatter_chart(figures)
    assert all(f">{shown_kind(group.name)}</text>" in named for group in figures.by_kind)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("measure", ["agreement", "miou"])
def test_answer_section_of_few_clean_frames_states_no_figure_of_one(count: int, measure: str) -> None:
    drawn = drawn_frames(np.random.default_rng(0), ("fog", "mud"), unlabelled=0.0)
    figures = answer_figures(clean_alone(drawn, count), drawn_record(("fog", "mud"), measure))
    section, told = section_of(figures), " ".join(answer_summary(figures))
    assert "nan" not in re.sub(r"<[^>]+>", " ", section)
    assert ("too few frames" in told) == (count == 1)
    assert ("called none" in told) == (count > 1)
    assert "Quality by severity" not in titles_of(section)
    assert 'The monitor says "I do not know" of the quality of no frame.' in told
    assert "Hollow" not in section
    assert "kinds not in the fit:" not in told


def test_answer_summary_of_mean_iou_without_labels_says_so_and_gives_no_figure_of_the_quality() -> None:
    frames = drawn_frames(np.random.default_rng(0), ("fog", "mud"), ("frost",), unknown=0.0)
    figures = answer_figures(replace(frames, truth=np.full(len(frames), np.nan)), drawn_record(("fog", "mud"), "miou"))
    told = answer_summary(figures)
    assert (
        told[0]
        == "Expected mIoU: how near it is to the truth is not known, since that takes labels, and there are none."
    )
    assert titles_of(section_of(figures)) == ["What the frames are called"]
    assert not any("AURC" in sentence or "interval" in sentence for sentence in told)


def test_answer_summary_counts_the_frames_that_are_unknown_by_set() -> None:
    frames = drawn_frames(np.random.default_rng(0), ("fog",), each=10, severities=(1, 3), unknown=0.0)
    frames.expected[frames.place == 2] = np.nan
    frames.expected[10] = np.nan
    frames.cause[25:27] = "unknown"
    told = answer_summary(answer_figures(frames, drawn_record(("fog",))))
    assert (
        'The monitor says "I do not know" of the quality of 11 of 40 frames: fog 3 (10 of 10), fog 1 (1 of 10).' in told
    )
    assert 'The monitor says "I do not know" of the cause of 2 of 40 frames: fog 3 (2 of 10).' in told


def test_answer_section_of_tiles_alone_has_a_grid_of_each_kind_and_their_shares() -> None:
    record = replace(with_tiles(drawn_record(("fog", "mud"))), quality=None, cause=None)
    frames = drawn_frames(np.random.default_rng(0), ("fog", "mud"), ("frost",), unknown=0.3)
    figures = answer_figures(frames, record)
    section = section_of(figures)
    assert titles_of(section) == ["Which tiles are abnormal"]
    for kind in figures.by_kind:
        assert f">{shown_kind(kind.name)}</text>" in section
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", section)).split())
    for words in ("tiles unknown", "with an abnormal tile", "in distribution have none, promised is that at most 5%"):
        assert words in text
    assert "nan" not in text
    assert "quality" not in " ".join(answer_summary(figures))


def test_tile_chart_shades_each_tile_by_its_share_and_writes_it_into_it() -> None:
    frames = drawn_frames(np.random.default_rng(0), ("fog",), each=10, severities=(3,), unknown=0.0)
    frames.tiles[:] = False
    frames.tiles[10:14, 1, 2] = True  # of fog's ten frames
    svg = tile_chart(answer_figures(frames, with_tiles(drawn_record(("fog",)))))
    assert re.findall(r">(\.\d\d)</text>", svg) == [".40"]
    assert ">in distribution</text>" in svg


def test_answer_summary_names_the_sets_with_the_most_abnormal_frames_where_there_are_any() -> None:
    frames = drawn_frames(np.random.default_rng(0), ("fog",), each=10, severities=(1, 3), unknown=0.0)
    frames.tiles[:] = False
    record = replace(with_tiles(drawn_record(("fog",))), quality=None, cause=None)
    assert not any("most common" in sentence for sentence in answer_summary(answer_figures(frames, record)))
    frames.tiles[20:24, 0, 0] = True
    told = answer_summary(answer_figures(frames, record))
    assert "Frames with an abnormal tile are most common in fog 3 (40%), fog 1 (0%), dusk_photographs (0%)." in told


@pytest.mark.parametrize(("left_out", "titles"), [("quality", 1), ("cause", 4)])
def test_answer_section_of_one_answer_alone_leaves_the_other_out(left_out: str, titles: int) -> None:
    record = drawn_record(("fog", "mud"))
    record = replace(record, quality=None) if left_out == "quality" else replace(record, cause=None)
    frames = drawn_frames(np.random.default_rng(0), ("fog", "mud"), ("frost",))
    section = section_of(answer_figures(frames, record))
    assert len(titles_of(section)) == titles
    assert (f"{left_out} unknown" in section) is False
