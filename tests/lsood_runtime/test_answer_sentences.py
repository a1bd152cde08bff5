# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of its answers: where they were judged, and what is known of frames far from everything seen."""

import json
import math
from dataclasses import replace

import pytest

from lsood_runtime import Manifest
from lsood_runtime._answers import Answers, quality_words
from lsood_runtime._bundle.answer_sentences import answer_sentences, unknown_words
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
