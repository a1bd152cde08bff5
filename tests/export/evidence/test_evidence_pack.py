# SPDX-License-Identifier: Apache-2.0
"""An evidence pack: verdicts on random reports, the page, the table, the copies."""

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from export.cli.evidence import main
from export.errors import RequirementError, UsageError
from export.evidence.claims import Claim, EvidenceFigure
from export.evidence.json_pointer import resolve
from export.evidence.judge_claims import judge_claims
from export.evidence.options import EvidenceOptions
from export.evidence.pack import EvidencePack
from export.evidence.sources import read_sources
from export.evidence.write_evidence import write_evidence
from lsood_runtime import __version__, expected_false_alarms, parse_policy, read_manifest
from tests.export.evaluation.test_report_page import read
from tests.export.evidence.drawn_figures import drawn_figures, plain_figures, write_figures

HOSTILE = "<script>alert('&\"')</script>"


def packed(bundle: Path, out: Path, **options: Any) -> dict[str, Claim]:
    """Claims of a pack by identifier."""
    return {claim.id: claim for claim in write_evidence(EvidenceOptions(bundle, out, **options)).claims}


def verdict_of(ends: list[Any], limit: float) -> str:
    """Of a share that may be at most the limit, by its value."""
    return "supported" if ends[0] <= limit else "not supported"


def expected_verdicts(figures: dict[str, Any], rate: float) -> dict[str, str]:
    """Verdicts on what a report tells, written out again."""
    ind, drives = figures["ind"], figures["ind"]["drives"]
    _, *ends = ind["false_alarm_rate"]
    within = "not measured" if ends[0] is None or ind["calibration_frames"] else tuple(end <= rate for end in ends)
    far = {(True, True): "supported", (True, False): "inconclusive", (False, False): "not supported"}
    found = {"R-FAR-1": within if isinstance(within, str) else far[within]}
    found["R-DAT-1"] = "not supported" if ind["calibration_frames"] else "supported"
    mostly = any(row["flagged"] / row["frames"] > 0.5 for row in drives)
    found["R-FAR-2"] = "not measured" if not drives else "not supported" if mostly else "supported"
    frames = [row["frames"] for row in drives]
    equal = sum(frames) ** 2 / sum(count**2 for count in frames) if frames else 0
    found["R-DRV-1"] = "not measured" if not drives else "supported" if equal >= 10 else "not supported"
    fitted = any(row["fitted_on"] for row in figures["shifts"])
    found["R-DAT-2"] = "not measured" if not figures["shifts"] else "not supported" if fitted else "supported"
    group = figures["hurting"]["hurting_frames"]
    found["R-DET"] = "not measured" if group is None else verdict_of(group["missed"], 0.2)
    for name, identifier in (("fog", "R-DET-FOG"), ("mud", "R-DET-MUD"), ("dusk & <rain>", "R-DET-DUSK-RAIN")):
        rows = [row for row in figures["shifts"] if name in (row["kind"], row["name"])]
        judged = [
            row["figures"]["miss_rate"] if row["hurting_share"] is None else row["missed_of_hurting"]
            for row in rows
            if not row["fitted_on"] and (row["hurting_share"] is None or row["hurting_share"] >= 0.1)
        ]
        if rows:
            verdicts = {verdict_of(ends, 0.2) for ends in judged}
            found[identifier] = min(verdicts, default="not measured")  # "not supported" comes before "supported"
    return found


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(figures=drawn_figures())
def test_verdicts_on_any_report_are_the_rules_written_out_again(
    figures: dict[str, Any], toy: Path, tmp_path: Path
) -> None:
    report = write_figures(tmp_path / "report", toy, figures)
    found = judge_claims(read_sources(EvidenceOptions(toy, tmp_path / "pack", report=report)))
    claims = {claim.id: claim for claim in found}
    expected = expected_verdicts(figures, read_manifest(toy).threshold.false_alarm_rate)
    assert {name: claims[name].verdict for name in expected} == expected
    assert {name for name in claims if name.startswith("R-DET-")} == {n for n in expected if n.startswith("R-DET-")}
    for claim in claims.values():
        assert claim.kind != "requirement" or claim.verdict != "not measured" or claim.remedy


def test_figures_of_a_pack_stand_where_their_pointers_say(
    toy: Path, report: Path, certificate: Path, tmp_path: Path
) -> None:
    claims = packed(toy, tmp_path / "pack", report=report, certificate=certificate)
    documents = {
        name: json.loads((tmp_path / "pack" / name).read_text())
        for name in ("manifest.json", "report/figures.json", "certificate.json")
    }
    figures = [item for claim in claims.values() for item in claim.evidence if isinstance(item, EvidenceFigure)]
    assert {figure.file for figure in figures} == set(documents)
    for figure in figures:
        there = resolve(documents[figure.file], figure.pointer)
        if isinstance(there, list) and there and isinstance(there[0], float):
            assert [figure.value, figure.low, figure.high] == there
        elif isinstance(there, float) and figure.pointer != "/parity/score_max_abs":
            assert figure.value == there or figure.pointer.startswith("/golden")


def test_pack_without_anything_measures_what_the_bundle_tells_alone(toy: Path, tmp_path: Path) -> None:
    claims = packed(toy, tmp_path / "pack")
    told = {name for name, claim in claims.items() if claim.verdict == "supported"}
    assert told == {"R-DAT-3", "R-INT-1", "R-PAR-1", "R-PAR-2"}
    assert claims["R-DRV-2"].verdict == "not supported", "one drive, where 5 % take 19"
    assert claims["R-FAR-3"].reason == "A calibration of one drive tells nothing of new ones."
    assert claims["R-FAR-1"].reason == "No report was given."
    assert claims["R-FAR-1"].remedy.startswith("python -m export evaluate")
    assert claims["R-VAL-4"].remedy.startswith("pytest tests/lsood_runtime/stream/test_cameras.py::")
    assert sorted(path.name for path in (tmp_path / "pack").iterdir()) == [
        "SHA256SUMS",
        "evidence.csv",
        "evidence.json",
        "index.html",
        "manifest.json",
    ]


def test_certificate_supports_what_it_measured(toy: Path, certificate: Path, tmp_path: Path) -> None:
    claims = packed(toy, tmp_path / "pack", certificate=certificate)
    values = json.loads(certificate.read_text())
    assert {claims[f"R-PRV-{i}"].verdict for i in (1, 2, 3)} == {"supported"}
    assert claims["R-INT-2"].verdict == "supported"
    ratio = claims["R-LAT-1"].evidence[0]
    assert isinstance(ratio, EvidenceFigure)
    assert (ratio.value, ratio.low, ratio.high) == tuple(values["latency"]["provider_over_network"].values())
    assert claims["R-LAT-1"].verdict == (
        "supported" if ratio.value is not None and ratio.value <= 1.05 else "not supported"
    )
    assert claims["R-LAT-2"].reason == "No limit is set, and the bundle declares none."
    assert claims["R-LAT-2"].remedy == "claims: {R-LAT-2: {limit: NUMBER}} in a file of --requirements"


TEAM = """
title: Front camera
claims:
  R-FAR-1: {id: SYS-1, limit: 0.03, by: bound}
  R-LAT-2: {limit: 1.0e+6}
  R-DET-FOG: {limit: 0.01, accepted: no fog in the domain}
  R-DET-SMOKE: {id: SYS-9}
  R-TMP-1: {limit: 0.25}
  R-TMP-2: {limit: 1.0e+9}
  H-IND-1: {id: HAZ-4, note: see the analysis}
own:
  SYS-2: {statement: Told apart., figure: "report/figures.json#/mean_auroc", at_least: 0.9}
  SYS-3: {statement: Apart., figure: "report/figures.json#/hurting/hurting_frames/auroc", at_least: 0.985, by: bound}
  SYS-4: {statement: Not there., figure: "certificate.json#/memory/both_mb", at_most: 1}
alarm: {policy: 3of5, frames_per_second: 10}
"""


def test_limits_and_requirements_of_the_team_are_judged_beside_ours(toy: Path, report: Path, tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(TEAM)
    claims = packed(toy, tmp_path / "pack", report=report, requirements=tmp_path / "team.yaml")
    assert {
        name: claims[name].verdict for name in ("R-FAR-1", "R-DET-FOG", "R-DET-SMOKE", "SYS-2", "SYS-3", "SYS-4")
    } == {
        "R-FAR-1": "not supported",
        "R-DET-FOG": "not supported",
        "R-DET-SMOKE": "not measured",
        "SYS-2": "supported",
        "SYS-3": "not supported",
        "SYS-4": "not measured",
    }
    assert not claims["R-DET-FOG"].is_open
    assert claims["R-FAR-1"].is_open
    assert claims["R-DET-SMOKE"].reason == "The report has no frames of smoke."
    assert claims["R-FAR-1"].rule.startswith("at most 0.03 by the farther end of its 95 % interval")
    assert (claims["H-IND-1"].own_id, claims["H-IND-1"].note) == ("HAZ-4", "see the analysis")
    manifest, policy = read_manifest(toy), parse_policy("3of5")
    delay = policy.delay_frames(manifest.calibration, 10) / 10
    (figure,) = [item for item in claims["R-TMP-1"].evidence if isinstance(item, EvidenceFigure)]
    assert figure.value == pytest.approx(delay)
    assert claims["R-TMP-1"].verdict == ("supported" if delay <= 0.25 else "not supported")
    alarms = expected_false_alarms(policy, manifest, frames_per_second=10, frames=200_000)
    assert claims["R-TMP-2"].verdict == ("supported" if alarms.stated else "not measured")
    page = (tmp_path / "pack" / "index.html").read_text()
    assert "<title>Front camera</title>" in page
    assert "SYS-1 (R-FAR-1)" in page


JUNIT = """<testsuites><testsuite>
<testcase classname="tests.lsood_runtime.stream.test_cameras" name="{silent}"/>
<testcase classname="tests.lsood_runtime.bundle.test_digests" name="{digests}[3]"><failure/></testcase>
</testsuite></testsuites>"""


def test_results_of_tests_support_and_refute(toy: Path, tmp_path: Path) -> None:
    silent = "test_stream_silent_camera_raises_its_alarm_and_clears_it_when_it_is_back"
    digests = "test_bundle_with_any_byte_of_any_file_changed_is_refused"
    (tmp_path / "r.xml").write_text(JUNIT.format(silent=silent, digests=digests))
    claims = packed(toy, tmp_path / "pack", junit=tmp_path / "r.xml")
    assert claims["R-VAL-4"].verdict == "supported"
    assert claims["R-VAL-5"].verdict == "not measured"
    assert claims["R-INT-1"].verdict == "not supported", "its figure is right, and its test failed"
    assert digests in claims["R-INT-1"].reason


def test_pack_says_which_version_and_commit_its_results_of_tests_are_of_and_refuses_another_version(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = JUNIT.format(silent="test_a", digests="test_b")
    tied = suite.replace(
        "<testsuite>",
        '<testsuite><properties><property name="lsood.version" value="VERSION"/>'
        '<property name="lsood.commit" value="c0ffee"/></properties>',
    )
    tied_to_this = tied.replace("VERSION", __version__)
    of_it = f"The results of tests are of version {__version__}, commit c0ffee"
    for text, commit, told in (
        (suite, "c0ffee", "The results of tests are not tied to a version: their file names none."),
        (tied_to_this, None, f"{of_it}; git tells no commit of this program, as where it is installed: versions"),
        (tied_to_this, "c0ffee", f"{of_it}, as this program is."),
        (
            tied_to_this,
            "decaf",
            f"{of_it}, and this program is of commit decaf: they may be of other code. Run the tests",
        ),
        (tied_to_this, "c0ffee, changed", f"{of_it}, and this program is of commit c0ffee, changed: they may be"),
        (
            tied_to_this.replace("c0ffee", "c0ffee, changed"),
            "c0ffee, changed",
            f"{of_it}, changed, and this program is of",
        ),
    ):
        monkeypatch.setattr("export.evidence.pack.source_commit", lambda commit=commit: commit)
        (tmp_path / "r.xml").write_text(text)
        packed(toy, tmp_path / "pack", junit=tmp_path / "r.xml")
        assert told in (tmp_path / "pack" / "index.html").read_text()
        values = json.loads((tmp_path / "pack" / "evidence.json").read_text())
        assert (values["tests_version"], values["tests_commit"]) == (
            (None, None) if text == suite else (__version__, "c0ffee, changed" if "changed" in text else "c0ffee")
        )
        assert values["made_by"]["commit"] == commit
    (tmp_path / "r.xml").write_text(tied.replace("VERSION", "0.1.9"))
    with pytest.raises(UsageError, match=r"a pack names, got those of 0\.1\.9 in .*run the tests of this version"):
        packed(toy, tmp_path / "pack", junit=tmp_path / "r.xml")


def test_page_of_a_pack_is_well_formed_and_links_to_what_is_in_it(toy: Path, certificate: Path, tmp_path: Path) -> None:
    figures = plain_figures()
    figures["shifts"].append(figures["shifts"][0] | {"name": HOSTILE, "kind": None})
    report = write_figures(tmp_path / "report", toy, figures)
    (tmp_path / "team.yaml").write_text(
        json.dumps({"title": HOSTILE, "claims": {"R-FAR-1": {"note": HOSTILE, "id": HOSTILE}}})
    )
    packed(toy, tmp_path / "pack", report=report, certificate=certificate, requirements=tmp_path / "team.yaml")
    html = (tmp_path / "pack" / "index.html").read_text()
    assert '<span class="flag">--junitxml</span> RESULTS.xml' in html, "no line ends between its dashes"
    page = read(html)
    assert len(page.ids) == len(set(page.ids))
    for reference in page.references:
        assert reference[1:] in page.ids if reference.startswith("#") else (tmp_path / "pack" / reference).is_file()
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?:", html)
    assert page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert "".join(page.text).count(HOSTILE) > 3, "shown as text, which it is"


def test_table_and_json_of_a_pack_tell_the_same(toy: Path, report: Path, tmp_path: Path) -> None:
    pack = write_evidence(EvidenceOptions(toy, tmp_path / "pack", report=report))
    values = json.loads((tmp_path / "pack" / "evidence.json").read_text())
    with (tmp_path / "pack" / "evidence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [claim["id"] for claim in values["claims"]] == [c.id for c in pack.claims]
    for row, claim in zip(rows, values["claims"], strict=True):
        assert row["verdict"] == (claim["verdict"] or "")
        assert (row["limit"] or None) == (None if claim["limit"] is None else str(claim["limit"]))
        assert claim["evidence"], claim["id"]
    counted = [claim["verdict"] for claim in values["claims"]]
    assert values["verdicts"] == {verdict: counted.count(verdict) for verdict in values["verdicts"]}
    assert set(values["verdicts"]) == {"supported", "not supported", "inconclusive", "not measured"}
    assert values["bundle"]["manifest_sha256"] == hashlib.sha256((toy / "manifest.json").read_bytes()).hexdigest()


def test_copies_of_a_pack_are_those_that_were_read(toy: Path, report: Path, certificate: Path, tmp_path: Path) -> None:
    write_evidence(EvidenceOptions(toy, tmp_path / "pack", report=report, certificate=certificate))
    sources = {
        "manifest.json": toy / "manifest.json",
        "report/figures.json": report / "figures.json",
        "report/index.html": report / "index.html",
        "certificate.json": certificate,
    }
    listed = json.loads((tmp_path / "pack" / "evidence.json").read_text())["files"]
    assert listed.keys() == sources.keys()
    for name, source in sources.items():
        assert (tmp_path / "pack" / name).read_bytes() == source.read_bytes()
        assert listed[name]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "pack" / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(tmp_path / "pack")) for path in (tmp_path / "pack").rglob("*") if path.is_file()}
    assert sums.keys() == files - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((tmp_path / "pack" / name).read_bytes()).hexdigest() == digest


def test_pack_replaces_a_pack_with_nothing_left_of_it(toy: Path, report: Path, tmp_path: Path) -> None:
    write_evidence(EvidenceOptions(toy, tmp_path / "pack", report=report))
    write_evidence(EvidenceOptions(toy, tmp_path / "pack"))
    assert not (tmp_path / "pack" / "report").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_command_ends_with_seven_where_a_requirement_is_open_and_the_pack_is_written(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(toy), "--out", str(tmp_path / "pack")]
    assert main(words) == 0
    assert "next: open" in capsys.readouterr().out
    assert main([*words, "--require-supported", "--quiet"]) == 7
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert printed.out == ""
    assert line.startswith(
        "export: error: expected every requirement to be supported or accepted, got 1 not supported and "
    )
    assert (tmp_path / "pack" / "index.html").is_file()


def test_pack_of_which_every_open_requirement_is_accepted_is_let_pass(toy: Path, tmp_path: Path) -> None:
    pack = write_evidence(EvidenceOptions(toy, tmp_path / "pack"))
    with pytest.raises(RequirementError, match="R-FAR-1, R-FAR-2"):
        pack.check_supported()
    accepted = {claim.id: {"accepted": "agreed"} for claim in pack.claims if claim.is_open}
    (tmp_path / "team.yaml").write_text(json.dumps({"claims": accepted}))
    settled = write_evidence(EvidenceOptions(toy, tmp_path / "pack", requirements=tmp_path / "team.yaml"))
    settled.check_supported()
    assert isinstance(settled, EvidencePack)
    assert f"Of those that are not supported the team accepts {len(accepted)}." in settled.summary


def test_interval_that_contains_the_limit_leaves_a_requirement_open(toy: Path, tmp_path: Path) -> None:
    figures = plain_figures()
    figures["ind"]["false_alarm_rate"] = [0.20, 0.04, 0.60]
    report = write_figures(tmp_path / "report", toy, figures)
    pack = write_evidence(EvidenceOptions(toy, tmp_path / "pack", report=report))
    claim = next(claim for claim in pack.claims if claim.id == "R-FAR-1")
    assert (claim.verdict, claim.is_open) == ("inconclusive", True)
    assert claim.reason.startswith("The 95 % interval contains the limit")
    assert '<span class="mark inconclusive">' in (tmp_path / "pack" / "index.html").read_text()
    with pytest.raises(RequirementError, match=r"1 inconclusive and .*\(R-FAR-1, .* says what is left to do"):
        pack.check_supported()
