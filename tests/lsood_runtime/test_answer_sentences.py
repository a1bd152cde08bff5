# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of its answers: where they were judged, and what is known of frames far from everything seen."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from lsood_runtime import Manifest
from lsood_runtime._answers import Answers, quality_words
from lsood_runtime._bundle.answer_sentences import answer_sentences, at_most_words, unknown_words
from lsood_runtime._bundle.answers_records import AnswersRecord
from tests.lsood_runtime.answers_bundle import answers_manifest


@pytest.fixture
def record() -> AnswersRecord:
    """Of the toy bundle, which was judged on two drives."""
    found = Manifest.from_json(json.dumps(answers_manifest() | {"files": {}})).answers
    assert found is not None
    return found


def test_answer_sentences_of_several_drives_say_that_drives_were_left_out(record: AnswersRecord) -> None:
    said = answer_sentences(record)
    assert "on drives and kinds left out together" in said["expected mIoU"]
    assert "on drives left out" in said["cause"]
    assert not any("block" in sentence for sentence in said.values())


def test_answer_sentences_of_one_drive_say_that_blocks_of_it_were_left_out(record: AnswersRecord) -> None:
    said = answer_sentences(replace(record, drives=1))
    assert "on contiguous blocks of the one drive and kinds left out together" in said["expected mIoU"]
    assert "on contiguous blocks of the one drive left out" in said["cause"]
    assert not any("drives" in sentence for sentence in said.values())


@pytest.mark.parametrize(("most", "words"), [(0.38, "unknown, at most 0.38"), (1.0, "unknown"), (math.nan, "unknown")])
def test_quality_words_of_an_unknown_quality_have_the_bound_where_it_says_something(
    most: float, words: str, record: AnswersRecord
) -> None:
    answers = Answers(quality_measure="agreement", expected_quality=math.nan, quality_low=math.nan, quality_high=most)
    assert quality_words(answers) == f"expected agreement {words}"
    assert unknown_words(most) == words
    if math.isfinite(most):
        assert record.quality is not None
        stated = replace(record, quality=replace(record.quality, at_most=most))
        assert answer_sentences(stated)["expected mIoU"].endswith(f"; far from everything seen: {words}")


@pytest.fixture
def places() -> AnswersRecord:
    """With tiles and a map."""
    manifest = answers_manifest(tiles=True, with_map=True) | {"files": {}}
    found = Manifest.from_json(json.dumps(manifest)).answers
    assert found is not None
    return found


def told_by(places: AnswersRecord, rate: float, guarantee: str, frames: int, drives: int) -> dict[str, str]:
    assert places.tiles is not None
    assert places.map is not None
    changes: dict[str, Any] = {
        "false_alarm_rate": rate,
        "guarantee": guarantee,
        "limit_frames": frames,
        "limit_drives": drives,
        "clean_kept": 0.9,
    }
    return answer_sentences(replace(places, tiles=replace(places.tiles, **changes), map=replace(places.map, **changes)))


@pytest.mark.parametrize("subject", ["abnormal tiles", "unknown objects"])
def test_sentences_of_limits_promise_the_rate_that_holds_and_name_the_frames_that_set_it(
    subject: str, places: AnswersRecord
) -> None:
    few = told_by(places, 1 / 12, "frames", 11, 1)[subject]
    assert "at most 8.4% of clean frames of known drives (too few drives for new ones)" in few
    assert "by 11 frames of 1 drive; on contiguous blocks of the one drive left out of the limit 90.0% had none" in few
    many = told_by(places, 0.05, "drives", 60, 30)[subject]
    assert (
        "at most 5% of clean frames of a new drive are expected to have one, by 60 frames of 30 drives; on drives"
        in many
    )


@pytest.mark.parametrize(("picture", "read"), [(False, "layer1"), (True, "layer1, the picture")])
def test_sentence_of_tiles_names_what_they_are_read_from(places: AnswersRecord, picture: bool, read: str) -> None:
    assert places.tiles is not None
    told = answer_sentences(replace(places, tiles=replace(places.tiles, picture=picture)))["abnormal tiles"]
    assert told.startswith(f"2 x 3, read from {read}; ")


def test_sentences_of_older_bundles_name_the_frames_that_their_figures_are_of(places: AnswersRecord) -> None:
    assert places.tiles is not None
    assert places.map is not None
    not_recorded: dict[str, Any] = {"limit_frames": 0, "limit_drives": 0}
    older: dict[str, Any] = {"tiles": replace(places.tiles, **not_recorded), "map": replace(places.map, **not_recorded)}
    said = answer_sentences(replace(places, frames=11, drives=1, **older))
    for sentence in (said["abnormal tiles"], said["unknown objects"]):
        assert "at most 8.4% of clean frames" in sentence, "11 frames promise no less, whatever the record says"
        assert "on the frames that set the limit" in sentence
    assert "cut-outs of kinds left out, on the frames that chose the map" in said["unknown objects"]


@pytest.mark.parametrize("share", [0.001, 0.0101, 0.05, 0.1, 1 / 3, 1 / 12, 1.0])
def test_at_most_words_never_say_less_than_the_share(share: float) -> None:
    assert share <= float(at_most_words(share).removesuffix("%")) / 100 + 1e-12 < share + 0.001 + 1e-9
