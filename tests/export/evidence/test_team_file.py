# SPDX-License-Identifier: Apache-2.0
"""The team's own file is read as it is written, and refused in one line where a name or a value is not known."""

from pathlib import Path

import pytest

from export.errors import UsageError
from export.evidence.team_file import AskedAlarm, TeamEntry, TeamFile, TeamRequirement, read_team_file
from lsood_runtime import KOfN

TEXT = """
title: Front camera
claims:
  R-FAR-1: {id: SYS-1, limit: 0.08, by: bound, note: agreed}
  R-DET-FOG: {accepted: "no fog in the domain"}
own:
  SYS-2: {statement: Told apart., figure: "report/figures.json#/mean_auroc", at_least: 0.9, by: bound, topics: [sotif-known]}
alarm: {policy: 3of5, frames_per_second: 10}
"""


def written(text: str, folder: Path) -> TeamFile:
    (folder / "team.yaml").write_text(text)
    return read_team_file(folder / "team.yaml")


def test_team_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert written(TEXT, tmp_path) == TeamFile(
        TEXT.encode(),
        "Front camera",
        {
            "R-FAR-1": TeamEntry("SYS-1", 0.08, "bound", "", "agreed"),
            "R-DET-FOG": TeamEntry(accepted="no fog in the domain"),
        },
        (
            TeamRequirement(
                "SYS-2", "Told apart.", "report/figures.json", "/mean_auroc", "at least", 0.9, "bound", ("sotif-known",)
            ),
        ),
        AskedAlarm(KOfN(3, 5), None, 10.0),
    )


def test_team_file_with_nothing_in_it_changes_nothing(tmp_path: Path) -> None:
    assert written("{}", tmp_path) == TeamFile(b"{}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claim: {}", "did you mean claims\\?"),
        ("[1]", r"^expected a mapping of title, claims, own, alarm in .*team\.yaml, got \[1\]: write NAME: value"),
        ("", r"^expected a mapping of title, claims, own, alarm in .*team\.yaml, got nothing: write NAME: value"),
        ("claims: [R-FAR-1]", "expected a mapping of names in claims"),
        ("claims: {R-FAR-1: 0.05}", "expected a mapping of names in claims.R-FAR-1"),
        ("claims: {R-FAR-1: {limits: 1}}", "did you mean limit\\?"),
        ("claims: {R-FAR-1: {limit: 5 %}}", "expected a number for limit in claims.R-FAR-1, got '5 %'"),
        ("claims: {R-FAR-1: {limit: .nan}}", "expected a number for limit"),
        ("claims: {R-FAR-1: {limit: true}}", "expected a number for limit"),
        ("claims: {R-FAR-1: {by: mean}}", "expected by among estimate, interval, bound"),
        ("claims: {R-FAR-1: {by: [bound]}}", "expected by among"),
        ("claims: {R-FAR-1: {id: 117}}", "expected text for id in claims.R-FAR-1, got 117"),
        ("own: {S: {statement: x, figure: 'report/figures.json#/a'}}", "expected at_most or at_least in own.S, got 0"),
        (
            "own: {S: {statement: x, figure: 'report/figures.json#/a', at_most: 1, at_least: 0}}",
            "expected at_most or at_least in own.S, got 2",
        ),
        ("own: {S: {statement: x, figure: 'figures.json#/a', at_most: 1}}", "expected a figure of manifest.json"),
        ("own: {S: {statement: x, figure: 'manifest.json', at_most: 1}}", "write FILE#/POINTER"),
        ("own: {S: {statement: x, figure: 'manifest.json#/a~2', at_most: 1}}", "write FILE#/POINTER"),
        ("own: {S: {figure: 'manifest.json#/a', at_most: 1}}", "expected a statement in own.S"),
        (
            "own: {S: {statement: x, figure: 'manifest.json#/a', at_most: 1, topics: [fog]}}",
            "expected topics in own.S among",
        ),
        (
            "own: {S: {statement: x, figure: 'manifest.json#/a', at_most: 1, topics: fog}}",
            "expected topics in own.S among",
        ),
        ("alarm: {policy: 3of5}", "expected frames_per_second and either policy or per_hour in alarm, got policy"),
        ("alarm: {policy: 3of5, per_hour: 1, frames_per_second: 10}", "expected frames_per_second and either"),
        ("alarm: {policy: 5of3, frames_per_second: 10}", "alarm: expected"),
        ("claims: {R-FAR-1: {}, R-FAR-1: {}}", "stands twice"),
        ("a: [", "expected a YAML file of requirements"),
    ],
)
def test_team_file_with_a_wrong_value_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        written(text, tmp_path)
    assert "\n" not in str(refused.value)
    assert "team.yaml" in str(refused.value)
