# SPDX-License-Identifier: Apache-2.0
"""The report: one file, well formed, self-contained, legible on a phone and in print."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.errors import UsageError
from export.evaluation import report_captions
from export.evaluation.answer_section import TITLE
from export.evaluation.drive_alarms import DriveAlarms
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_charts import risk_chart
from export.evaluation.report_page import check_report_folder, render, write_report
from export.evaluation.report_summary import summary
from export.evaluation.report_tables import drive_table
from export.evaluation.result import Evaluation
from tests.conftest import write_scenes

VOID = {"meta", "img", "br", "link", "wbr"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Checks the nesting as it reads, and keeps what the tests ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.images_without_alt = 0
        self.headings: list[int] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.open += [] if tag in VOID else [tag]
        self.ids += [values["id"] or ""] if "id" in values else []
        self.references += [values[name] or "" for name in ("src", "href", "xlink:href") if name in values]
        self.images_without_alt += tag == "img" and not values.get("alt")
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def result(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("report")
    clean = write_scenes(folder / "clean", 16, seed=5)
    for path in sorted(clean.iterdir()):
        path.rename(clean / f"<script>alert({path.stem})<&script>.png")
    labels = folder / "labels"
    labels.mkdir()
    for path in clean.iterdir():
        Image.fromarray(np.asarray(Image.open(path))[..., 0] // 64).save(labels / path.name)
    names = sorted(path.name for path in clean.iterdir())
    table = folder / "drives.csv"
    table.write_text("frame,drive\n" + "".join(f"{name},d{i}\n" for i, name in enumerate(names)))
    options = EvaluationOptions(
        bundle,
        (clean,),
        labels=(labels,),
        group_by=str(table),
        kinds=("fog", "mud"),
        severities=(1, 3, 5),
    )
    return evaluate(options)


@pytest.fixture(scope="module")
def report(result: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "report"
    write_report(result, folder, "python -m export evaluate <monitor>")
    return folder


def test_report_page_of_an_evaluation_is_well_formed_and_self_contained(report: Path) -> None:
    html = (report / "index.html").read_text()
    page = read(html)
    assert len(page.ids) == len(set(page.ids))
    assert page.images_without_alt == 0
    assert all(reference.startswith(("data:image/jpeg;base64,", "#")) for reference in page.references)
    assert not re.findall(r"url\((?!#)|@import|<script|<link|<iframe", html)
    fragments = set(re.findall(r"url\(#([^)]+)\)", html)) | {r[1:] for r in page.references if r.startswith("#")}
    assert fragments <= set(page.ids)
    assert page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    text = "".join(page.text)
    assert re.search(r"<script>alert\(\d+\)<&script>\.png", text), "shown as text, which it is"
    assert "python -m export evaluate <monitor>" in text
    assert "False alarms" in text


def test_report_page_of_a_bundle_without_answers_has_no_word_of_them(report: Path, result: Evaluation) -> None:
    assert result.answers is None
    assert "answers" not in result.asdict()
    html = (report / "index.html").read_text()
    assert TITLE not in html
    assert "</section>\n<section><h2>The frames with the highest scores</h2>" in html


def test_report_folder_of_an_evaluation_holds_its_figures(report: Path, result: Evaluation) -> None:
    figures = json.loads((report / "figures.json").read_text())
    assert figures == result.asdict()
    page = "".join(read((report / "index.html").read_text()).text)
    for shift in figures["shifts"]:
        assert f"{shift['figures']['auroc'][0]:.3f} (" in page


def test_figures_of_a_shift_tell_how_many_of_its_hurting_frames_are_missed(result: Evaluation) -> None:
    """By plain loops over scores and drives; the interval is that of any other share."""
    told = result.asdict()["shifts"]
    assert isinstance(told, list)
    for shift, values in zip(result.shifts, told, strict=True):
        assert shift.harm is not None
        hurting = [score for score, hurts in zip(shift.frames.score, shift.harm.frames, strict=True) if hurts]
        if not hurting:
            assert values["missed_of_hurting"] is None
            continue
        share, low, high = values["missed_of_hurting"]
        assert share == pytest.approx(sum(score <= result.threshold for score in hurting) / len(hurting))
        assert low is None or low <= share <= high
        if len(hurting) == len(shift.frames):
            assert values["missed_of_hurting"] == values["figures"]["miss_rate"]


def test_report_page_tells_what_hurts_and_what_is_missed(report: Path, result: Evaluation) -> None:
    page = "".join(read((report / "index.html").read_text()).text)
    assert result.split is not None, "there are labels"
    assert result.split.harmless_frames is not None
    assert "frames that do not" in page
    assert f"{result.split.harmless_frames.frames}{result.split.harmless_frames.auroc.value:.3f} (" in page
    assert "Name the drives by --group-by" in drive_table(replace(result, drive_alarms=()))
    assert "No baseline without a network: name frames to fit it on by --fit-frames" in page
    for spot in result.blind_spots:
        assert f"{spot.name} (blind spot)" in page


def test_report_tables_keep_figures_whole_and_say_that_they_scroll(report: Path, result: Evaluation) -> None:
    """An interval stands on one line; whoever has no mouse reaches the columns beyond the edge by the keyboard."""
    html = (report / "index.html").read_text()
    intervals = re.findall(r"\(-?\d\.\d\d to -?\d\.\d\d\)", html)
    assert len(intervals) > 7 * len(result.shifts)
    assert len(re.findall(r"<span>\(-?\d\.\d\d to -?\d\.\d\d\)</span>", html)) == len(intervals)
    assert html.count("<table>") == len(
        re.findall(r'<div class="scroll" tabindex="0" role="region" aria-label="[^"]+">', html)
    )


def test_captions_name_only_what_their_charts_hold(result: Evaluation) -> None:
    harmless = replace(result, shifts=tuple(replace(shift, harm=None) for shift in result.shifts))
    assert "orange" not in report_captions.harm(replace(result, shifts=()))
    assert ("orange" in report_captions.harm(result)) == bool(result.blind_spots)
    assert "dots" not in report_captions.severity(harmless)
    assert report_captions.roc(result).startswith("The synthetic ones")
    assert "the picture alone" not in report_captions.risk(result)
    alone = replace(result, failures=result.failures[:1])
    assert "by this monitor. A curve" in report_captions.risk(alone)


def test_risk_chart_of_many_scores_draws_the_best_and_the_own(result: Evaluation) -> None:
    own, *others = result.failures
    assert len(others) > 4
    svg = risk_chart(result)
    drawn = [failure.score_name for failure in result.failures if f">{failure.score_name}<" in svg]
    best = sorted(others, key=lambda failure: failure.augrc.value)[:4]
    assert set(drawn) == {own.score_name, *(failure.score_name for failure in best)}


def test_summary_of_drives_of_one_frame_says_so(result: Evaluation) -> None:
    alarms = (DriveAlarms("b", 1, 1), DriveAlarms("a", 4, 3), DriveAlarms("c", 5, 0))
    sentences = summary(replace(result, drive_alarms=alarms))
    assert (
        "By drive: 1.33 false alarms a drive, 2 of 3 drives with one, 2 flagged on more than half of their frames, 1 of them "
        "drives of one frame: b (1 of 1), a (3 of 4)."
    ) in sentences
    assert any(sentence.startswith("No intervals (3 drives, which tell as much as ") for sentence in sentences)


def test_summary_without_blind_spots_says_what_was_looked_at(result: Evaluation) -> None:
    """Where nothing hurts there is nothing that could be missed: that is no good news."""
    assert result.split is not None
    caught = [replace(shift.frames, score=np.full_like(shift.frames.score, 1e9)) for shift in result.shifts]
    shifts = tuple(replace(shift, frames=frames) for shift, frames in zip(result.shifts, caught, strict=True))
    some = replace(result.split, hurting_frames=result.split.harmless_frames)
    none = replace(result, shifts=shifts, split=some)
    of_harmless = summary(replace(none, split=replace(result.split, hurting_frames=None)))
    of_unknown = summary(replace(none, split=None))
    assert "No blind spots: no shift has more than 20% of its frames that hurt missed at the threshold." in summary(
        none
    )
    assert "No blind spots: no shift has more than 20% of its frames missed at the threshold." in of_unknown
    assert not any("No blind spots" in sentence for sentence in of_harmless)
    assert "Whether there are blind spots cannot be told by shifts that do not hurt: take severer ones." in of_harmless


def test_report_page_of_shifts_of_unknown_harm_compares_the_scores_by_shift(bundle: Path, tmp_path: Path) -> None:
    clean, other = write_scenes(tmp_path / "a", 5, seed=6), write_scenes(tmp_path / "b", 6, seed=7)
    fitted = write_scenes(tmp_path / "c", 12, seed=8)
    result = evaluate(EvaluationOptions(bundle, (clean,), ood={"b": (other,)}, kinds=(), fit_frames=(fitted,)))
    page = "".join(read(render(result, "x")).text)
    assert "It is not known which shifts hurt the segmentation" in page
    assert "AUROC of the picture alone" in page
    assert "AUROC of other scores on the same frames" in page
    assert f"in brackets: b {result.shifts[0].peers['picture alone']:.2f} (" in page


def test_report_page_without_shifts_or_labels_says_so(bundle: Path, tmp_path: Path) -> None:
    clean = write_scenes(tmp_path / "one", 1, seed=6)
    options = EvaluationOptions(bundle, (clean,), kinds=())
    alone = evaluate(options)
    text = "".join(read(render(alone, "x")).text)
    assert "No out-of-distribution frames were given" in text
    assert "No labels were given" in text
    assert text.count("Not shown") == 6


def test_write_report_over_something_else_is_refused(result: Evaluation, report: Path, tmp_path: Path) -> None:
    write_report(result, report, "again")
    assert "again" in (report / "index.html").read_text()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="found something else"):
        check_report_folder(tmp_path)
    with pytest.raises(UsageError, match="to exist"):
        check_report_folder(tmp_path / "no" / "where")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("package", ["matplotlib", "pacmap"])
def test_report_page_without_a_package_of_its_charts_is_refused(
    result: Evaluation, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        UsageError,
        match=rf"expected the packages of a report, found no {package}: install lsood-export with its extra guide",
    ):
        render(result, "x")


def test_report_page_with_a_thumbnail_that_cannot_be_encoded_is_refused(
    result: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv2.imencode", lambda *_: (False, np.zeros(0, np.uint8)))
    with pytest.raises(UsageError, match="expected OpenCV to encode a thumbnail"):
        render(result, "x")


def test_summary_of_a_detector_fitted_on_other_shifts_says_so(result: Evaluation) -> None:
    manifest = result.manifest
    fitted = replace(manifest, detector=replace(manifest.detector, fit_ood_frames=30))
    sentences = summary(replace(result, manifest=fitted))
    assert any(sentence.startswith("The detector was fitted on out-of-distribution frames") for sentence in sentences)


def browse(profile: Path, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    command = [
        CHROMIUM,
        *quiet.split(),
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        *flags,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium to look at the report")
@pytest.mark.parametrize("width", [390, 1280])
def test_report_page_in_chromium_does_not_scroll_sideways(report: Path, tmp_path: Path, width: int) -> None:
    """A frame as wide as a phone, or a desk's window; Chromium's own window does not go below 500 pixels."""
    probe = (
        "<script>addEventListener('load', () => parent.postMessage(document.documentElement.scrollWidth, '*'))</script>"
    )
    html = (report / "index.html").read_text().replace("</body>", f"{probe}</body>")
    (tmp_path / "inner.html").write_text(html)
    (tmp_path / "outer.html").write_text(
        f'<body><iframe src="inner.html" width="{width}" height="800" style="border:0"></iframe><script>'
        "addEventListener('message', event => document.title = 'width ' + event.data)</script></body>"
    )
    done = browse(tmp_path / "profile", tmp_path / "outer.html", "--virtual-time-budget=5000", "--dump-dom")
    found = re.search(r"<title>width (\d+)</title>", done.stdout)
    assert found is not None, done.stdout[:500]
    assert int(found.group(1)) <= width


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium to look at the report")
def test_report_page_in_chromium_prints_and_shows(report: Path, tmp_path: Path) -> None:
    pdf, picture = tmp_path / "report.pdf", tmp_path / "report.png"
    browse(tmp_path / "a", report / "index.html", f"--print-to-pdf={pdf}")
    browse(tmp_path / "b", report / "index.html", "--window-size=1280,1600", f"--screenshot={picture}")
    assert len(re.findall(rb"/Type\s*/Page[^s]", pdf.read_bytes())) >= 2
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.std() > 15, "something is drawn"
