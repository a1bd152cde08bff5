# SPDX-License-Identifier: Apache-2.0
"""The table of findings, and ``--dry-run``, which prints it with the completed command."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from export.cli.export import main
from export.cli.findings_table import findings_table
from export.findings import SUBJECTS, Finding

WORDS = st.lists(st.text("abcdefgh-./=", min_size=1, max_size=12), max_size=30).map(" ".join)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(SUBJECTS),
    WORDS,
    st.sampled_from(["given", "found", "guessed", "missing"]),
    WORDS,
)


@given(findings=st.lists(FINDINGS, min_size=1, max_size=8), width=st.integers(60, 200))
def test_findings_table_of_any_findings_keeps_every_word_in_aligned_columns(
    findings: list[Finding], width: int
) -> None:
    lines = findings_table(findings, width).splitlines()
    assert max(map(len, lines)) <= width
    starts = [i for i, line in enumerate(lines) if not line.startswith(" ")]
    assert len(starts) == len(findings)
    indents = {len(line) - len(line.lstrip()) for line in lines if line.startswith(" ")}
    assert len(indents) <= 1
    for finding, start, end in zip(findings, starts, [*starts[1:], len(lines)], strict=True):
        shown = " ".join(lines[start:end]).split()
        text = ": ".join(filter(None, (finding.value, finding.reason))) or "VALUE"
        assert shown == f"{finding.subject} {finding.origin} {text}".split()
        assert all(lines[start][:column].split() == [*finding.subject.split(), finding.origin] for column in indents)


def test_findings_table_of_control_characters_writes_them_out() -> None:
    table = findings_table([Finding("tap", "a\x1b[2J", "found", "of\nthe\u202e file")], 80)
    assert table.isprintable()


def write_weights(folder: Path) -> None:
    network = nn.Conv2d(3, 4, 3, padding=1)
    torch.save(network.state_dict(), folder / "my weights.pt")


def test_export_command_dry_run_prints_the_table_and_ends_in_a_usage_error_while_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_weights(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["--ckpt", "my weights.pt", "--model", "torch.nn:Conv2d", "--dry-run", "--input-size", "16", "24"]
    assert main([*words, "--model-arg", "padding=1"]) == 2
    printed = capsys.readouterr()
    table = printed.out.splitlines()
    assert [line.split()[0] for line in table if not line.startswith(" ")][:2] == ["network", "arguments"]
    assert any("in_channels=3 out_channels=4 kernel_size=3" in line for line in table)
    assert "next:" not in printed.out, "a network of one layer has none to sample, which no flag remedies"
    assert "expected nothing to be missing, 4 things are: decide on tap as the table says, then type" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["my weights.pt"]


def test_export_command_dry_run_of_a_complete_command_ends_with_zero(
    checkpoint: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "monitor").mkdir()
    given = ["--ckpt", str(checkpoint), "--frames", str(frames)]
    assert main([*given, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert "missing" not in printed.out
    assert shlex.split(printed.out.splitlines()[-1])[:8] == ["next:", "python", "-m", "export", *given]
    assert printed.out.endswith("--out monitor-2\n"), "the folder monitor is there already"
    assert main([*given, "--dry-run", "--quiet"]) == 0
    assert capsys.readouterr() == (printed.out, ""), "the table is the result, which --quiet leaves"


def test_export_command_that_misses_something_prints_the_table_and_the_command_on_stderr(
    checkpoint: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(tmp_path / "m")]
    assert main([*given, "--std", "0", "1", "1", "--tap", "nowhere"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    table, _, rest = printed.err.partition("\nnext: python -m export ")
    assert re.search(r"^mean and deviation +missing ", table, re.MULTILINE)
    command, note, error = rest.splitlines()
    assert "--std VALUE VALUE VALUE" in command
    assert "--tap VALUE" in command
    assert note == "· put what you know in place of VALUE in the command above"
    assert error.startswith("export: error: expected nothing to be missing, got 2 problems: (1) expected three means")
