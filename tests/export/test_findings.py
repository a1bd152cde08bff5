# SPDX-License-Identifier: Apache-2.0
"""Findings in words and in the order of the table."""

import itertools

import pytest

from export.cli.console import ConsoleReporter
from export.errors import UsageError
from export.findings import SUBJECTS, Finding, in_order


def test_in_order_of_any_order_is_that_of_the_subjects_with_others_behind() -> None:
    findings = [Finding(subject, "x", "found") for subject in ("tap", "colour of the car", "arguments", "output")]
    for mixed in itertools.permutations(findings):
        subjects = [finding.subject for finding in in_order(tuple(mixed))]
        assert subjects == ["arguments", "output", "tap", "colour of the car"]
        assert [subject for subject in subjects if subject in SUBJECTS] == subjects[:3]


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding("tap", "decoder", "guessed", "the last layer"), "tap: decoder (guessed: the last layer)"),
        (Finding("output", "logits", "found"), "output: logits (found)"),
        (Finding("arguments", "", "missing", "expected depth"), "arguments: VALUE (missing: expected depth)"),
    ],
)
def test_sentence_of_a_finding_has_value_origin_and_reason(finding: Finding, line: str) -> None:
    assert finding.sentence == line


def test_console_reporter_of_findings_prints_those_that_the_user_did_not_give(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ConsoleReporter(quiet=False).found(Finding("tap", "decoder", "guessed", "the last layer"))
    ConsoleReporter(quiet=False).found(Finding("output", "logits", "given"))
    ConsoleReporter(quiet=True).found(Finding("output", "logits", "found"))
    assert capsys.readouterr().err == "· tap: decoder (guessed: the last layer)\n"


def test_error_with_words_keeps_message_and_words() -> None:
    error = UsageError("expected --mean", words=["--mean", "VALUE"])
    assert (str(error), error.words, UsageError("expected").words) == ("expected --mean", ("--mean", "VALUE"), ())
