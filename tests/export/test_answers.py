# SPDX-License-Identifier: Apache-2.0
"""Answers beside the score, from the options of an export to the runtime, and through a recalibration."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from export.anomalies import COMMON_KINDS, degrade
from export.bundle.renewed_answers import check_answer_options, renewed_answers
from export.calibration.answer_options import AnswerOptions
from export.calibration.cause_names import FEWEST_OWN
from export.calibration.cutout_fit import cutout_passes
from export.calibration.degraded_rows import passes
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.calibration.patched_rows import patched_passes
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli.bundle_table import print_exported
from export.cli.evaluation_table import print_evaluation
from export.errors import UsageError
from export.evaluation.answer_section import TITLE
from export.evaluation.answer_summary import answer_summary
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_page import render
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, plan_export
from export.pipeline.resolve import check_options
from export.precision.options import PrecisionOptions
from export.recalibrate import recalibrate
from lsood_runtime import OoDMonitor, read_manifest
from lsood_runtime.offline import SCHEMA, answer_sentences
from tests.conftest import made_once, write_scenes
from tests.export.pipeline.told_reporter import ToldReporter

MAP = AnswerOptions(("map",))
BOTH = AnswerOptions(("quality", "cause"))
TILES = AnswerOptions(("tiles",))
EVERY = AnswerOptions(("quality", "cause", "tiles", "map"))
CALIBRATION = CalibrationOptions(rates={"10%": 0.1}, group_by="prefix")
ExportSmall = Callable[..., Path]


def _red() -> Image.Image:
    """A cut-out of a red thing."""
    picture = Image.new("RGBA", (40, 30), (0, 255, 0, 0))
    picture.paste((230, 20, 30, 255), (5, 5, 35, 25))
    return picture


@pytest.fixture(scope="session")
def drives(shared_folder: Path) -> Path:
    """Four drives of 12 frames."""

    def write(folder: Path) -> None:
        for i, name in enumerate("abcd"):
            write_scenes(folder / name, 12, seed=30 + i)
            for path in sorted((folder / name).iterdir()):
                path.rename(folder / f"{name}_{path.name}")
            (folder / name).rmdir()

    return made_once(shared_folder / "frames" / "answered", write)


@pytest.fixture(scope="session")
def answered(export_small: ExportSmall, drives: Path) -> Path:
    """A bundle that answers all, with the fused graph."""
    return export_small(frames=(drives,), calibration=CALIBRATION, answers=EVERY, fuse=True)


def _verdicts(bundle: Path, frames: Path) -> list[dict[str, Any]]:
    """Answers on a few frames, without times."""
    names = ("expected_quality", "quality_low", "quality_high", "cause", "cause_probability", "cause_set", "severity")
    with OoDMonitor(bundle) as monitor:
        return [
            {name: getattr(verdict := monitor.assess(np.array(frame)), name) for name in names}
            | {"tile_values": verdict.tile_values, "anomaly_map": verdict.anomaly_map, "objects": verdict.objects}
            for frame in list(FrameFiles((frames,)))[::9]
        ]


def _same_answers(one: list[dict[str, Any]], other: list[dict[str, Any]], tolerance: float = 0.0) -> None:
    for first, second in zip(one, other, strict=True):
        for name, value in first.items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_allclose(second[name], value, atol=tolerance, rtol=0, equal_nan=True)
            else:
                assert second[name] == value


def test_export_with_answers_gives_them_in_the_vehicle(answered: Path, drives: Path) -> None:
    manifest = read_manifest(answered)
    assert manifest.schema == SCHEMA
    assert manifest.answers is not None
    assert (manifest.answers.frames, manifest.answers.drives, manifest.answers.rows) == (48, 4, passes(48))
    assert manifest.answers.quality is not None
    assert manifest.answers.quality.measure == "agreement"
    assert manifest.answers.cause is not None
    assert set(manifest.answers.cause.names) == {"none", *COMMON_KINDS}
    assert manifest.answers.tiles is not None
    assert (manifest.answers.tiles.rows, manifest.answers.tiles.columns) == (4, 8)
    assert "| abnormal tiles | 4 x 8, read from " in (answered / "README.md").read_text()
    assert manifest.answers.map is not None
    assert (manifest.answers.map.rows, manifest.answers.map.columns) == (16, 32)  # a quarter of the network's 64 x 128
    assert "in a map of 16 x 32 cells, by " in (answered / "README.md").read_text()
    read = {name for name in manifest.features if name.startswith(("logit_map/", "feature_map/"))}
    assert read == {"logit_map/16x32", *(name for name in read if name.split("/")[1] in manifest.answers.map.layers)}
    assert len(read) == 1 + len(manifest.answers.map.layers)
    assert "| expected agreement | share of pixels of the clean frame's class" in (answered / "README.md").read_text()
    with OoDMonitor(answered) as monitor:
        result = monitor.self_test()
        assert result.passed
        assert len(result.answer_errors) == len(result.scores)
        for frame in list(FrameFiles((drives,)))[::12]:
            verdict = monitor.assess(np.array(frame))
            assert verdict.expected_quality is not None
            assert verdict.cause in ("none", "unknown", *COMMON_KINDS)
            assert verdict.tile_values is not None
            assert verdict.tile_values.shape == (4, 8)
            assert verdict.anomaly_map is not None
            assert verdict.anomaly_map.shape == (16, 32)


_BITS = """
import hashlib, sys, numpy, lsood_runtime
def bits(monitor, frame):
    verdict = monitor.assess(frame)
    quality = (verdict.expected_quality, verdict.quality_low, verdict.quality_high)
    numbers = (*quality, verdict.cause_probability, verdict.severity)
    digest = "none" if verdict.anomaly_map is None else hashlib.sha256(verdict.anomaly_map.tobytes()).hexdigest()
    return " ".join([*(float(number).hex() for number in numbers), verdict.cause, *verdict.cause_set, digest])
if __name__ == "__main__":
    with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
        print(*[bits(monitor, frame) for frame in numpy.load(sys.argv[2])[::-1]], sep="\\n")
"""


def test_answers_in_any_order_thread_and_process_have_the_same_bits(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    script: dict[str, Any] = {"__name__": "bits"}
    exec(_BITS, script)
    frames = np.array(list(FrameFiles((drives,)))[::8])
    frames = np.concatenate([frames, degrade(frames[0], "fog", 4, 1)[None], np.full_like(frames[:1], 200)])
    with OoDMonitor(answered) as monitor:
        one = [script["bits"](monitor, frame) for frame in frames]
        backwards = [script["bits"](monitor, frame) for frame in frames[::-1]][::-1]
        with ThreadPoolExecutor(4) as pool:
            threaded = list(pool.map(lambda frame: script["bits"](monitor, frame), frames))
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "bits.py").write_text(_BITS)
    command = [sys.executable, str(tmp_path / "bits.py"), str(answered), str(tmp_path / "frames.npy")]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[::-1]
    assert one == backwards == threaded == elsewhere


def test_export_with_answers_gives_the_same_in_the_fused_graph(answered: Path, drives: Path) -> None:
    session = ort.InferenceSession(str(answered / "monitor.onnx"), providers=["CPUExecutionProvider"])
    record = read_manifest(answered).answers
    assert record is not None
    frame = np.array(FrameFiles((drives,))[3])
    names = [value.name for value in session.get_outputs()]
    given = dict(zip(names, session.run(None, {"frame": frame[None]}), strict=True))
    with OoDMonitor(answered) as monitor:
        verdict = monitor.assess(frame)
    assert record.novelty_limit is not None
    if float(given["novelty"][0]) <= record.novelty_limit:
        assert verdict.expected_quality == pytest.approx(float(given["quality"][0, 0]), abs=1e-6)
    assert given["causes"].sum() == pytest.approx(1)
    assert record.tiles is not None
    assert verdict.tile_values is not None
    np.testing.assert_allclose(verdict.tile_values, given["tiles"][0] / record.tiles.limit, rtol=1e-6)
    assert verdict.anomaly_map is not None
    np.testing.assert_allclose(verdict.anomaly_map, given["anomaly_map"][0], atol=1e-4)


def test_print_exported_of_a_bundle_with_answers_says_what_it_answers(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_exported(answered, read_manifest(answered))
    shown = capsys.readouterr().out
    assert "expected agreement" in shown
    assert "cause" in shown


def test_export_without_answers_has_none(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.answers is None
    assert manifest.golden.answers == {}


def test_recalibrate_on_frames_fits_the_answers_of_the_bundle_anew(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    options = RecalibrationOptions(answered, tmp_path / "new", frames=(drives,), calibration=CALIBRATION)
    recalibrate(options)
    _same_answers(_verdicts(answered, drives), _verdicts(tmp_path / "new", drives), 1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": BOTH, "frames": (), "features": (Path("features.npz"),)}, "expected --frames with --answers"),
        ({"answers": AnswerOptions(labels=(Path(),))}, "expected PNG labels in the folders given by --labels"),
        ({"answers": AnswerOptions(("none",))}, ""),
        ({"answers": AnswerOptions(("map",), road_classes=(0,))}, ""),
        ({"answers": AnswerOptions(road_classes=(250,))}, "expected --road-class of the"),
        (
            {"answers": AnswerOptions(road_classes=(0,)), "frames": (), "features": (Path("f.npz"),)},
            "expected --road-class",
        ),
        ({"answers": AnswerOptions(("map",), objects=(Path("own/cut.png"),))}, ""),
        (
            {"answers": AnswerOptions(objects=(Path("own/cut.png"), Path("own/photo.jpg")))},
            r"alpha channel.* in own/photo\.jpg",
        ),
        (
            {"answers": AnswerOptions(objects=(Path("own/cut.png"),)), "frames": (), "features": (Path("f.npz"),)},
            "expected --objects with --frames and --answers map",
        ),
        ({"answers": AnswerOptions(("cause",), causes={"ice": (Path("ice"),)})}, "expected .* ice"),
        (
            {"answers": AnswerOptions(causes={"ice": (Path("ice"),)}), "frames": (), "features": (Path("f.npz"),)},
            "expected --cause with --frames and --answers cause",
        ),
    ],
)
def test_recalibrate_refuses_answers_that_cannot_be_fitted_before_it_measures(
    given: dict[str, Any], message: str, answered: Path, drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (own := Path("own")).mkdir()
    _red().save(own / "cut.png")
    _red().convert("RGB").save(own / "photo.jpg")
    chosen: dict[str, Any] = {"frames": (drives,), "calibration": CALIBRATION} | given
    options = RecalibrationOptions(answered, **chosen)
    if not message:
        check_answer_options(options, EvaluationGraphs(answered))
        return
    with pytest.raises(UsageError, match=message):
        check_answer_options(options, EvaluationGraphs(answered))


def test_recalibrate_with_labels_of_some_frames_is_refused_before_it_measures(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((80, 160), np.uint8)).save(tmp_path / "a_0000.png")
    options = RecalibrationOptions(
        answered, frames=(drives,), calibration=CALIBRATION, answers=AnswerOptions(labels=(tmp_path,))
    )
    with pytest.raises(UsageError, match=r"expected a label for every calibration frame, a_0001\.png has none"):
        check_answer_options(options, EvaluationGraphs(answered))


@pytest.fixture
def labels(drives: Path, tmp_path: Path) -> Path:
    """A label of one class for each frame."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for path in drives.iterdir():
        Image.fromarray(np.zeros((80, 160), np.uint8)).save(folder / path.name)
    return folder


def _measured_as(measure: str, bundle: Path) -> EvaluationGraphs:
    """Graphs of a bundle whose manifest states another measure of the quality."""
    graphs = EvaluationGraphs(bundle)
    record = graphs.manifest.answers
    assert record is not None
    assert record.quality is not None
    stated = replace(record, quality=replace(record.quality, measure=measure))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    return graphs


def test_recalibrate_without_labels_of_a_quality_that_has_them_is_refused_with_remedies_that_work(
    answered: Path, drives: Path, labels: Path
) -> None:
    options = RecalibrationOptions(answered, frames=(drives,), calibration=CALIBRATION)
    graphs = _measured_as("miou", answered)
    with pytest.raises(UsageError, match="expected --labels for the new frames, got none") as refused:
        check_answer_options(options, graphs)
    assert "add --labels DIR" in str(refused.value)
    named = tuple(str(refused.value).rpartition("--answers ")[2].split())
    assert named == ("quality", "cause", "tiles", "map")
    for remedy in (AnswerOptions(named), AnswerOptions(labels=(labels,)), AnswerOptions(("cause",))):
        check_answer_options(replace(options, answers=remedy), graphs)
    check_answer_options(options, _measured_as("agreement", answered))
    check_answer_options(replace(options, frames=(), features=(Path("features.npz"),)), graphs)


def write_iced(folder: Path, count: int, seed: int) -> Path:
    """Scenes with ice on the lens, a white disc."""
    write_scenes(folder, count, seed)
    rows, columns = np.mgrid[:80, :160]
    for path in folder.iterdir():
        with Image.open(path) as image:
            frame = np.array(image)
        frame[(rows - 40) ** 2 + (columns - 80) ** 2 < 900] = 235
        Image.fromarray(frame).save(path)
    return folder


@pytest.fixture
def iced(drives: Path, tmp_path: Path) -> Path:
    """Frames of another scene, iced."""
    return write_iced(tmp_path / "iced", FEWEST_OWN, seed=77)


def test_recalibrate_without_frames_of_a_kind_of_a_users_own_is_refused_with_remedies_that_work(
    answered: Path, drives: Path, iced: Path
) -> None:
    options = RecalibrationOptions(answered, frames=(drives,), calibration=CALIBRATION)
    graphs = EvaluationGraphs(answered)
    record = graphs.manifest.answers
    assert record is not None
    assert record.cause is not None
    stated = replace(record, cause=replace(record.cause, own={"fog": 0.9}))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    with pytest.raises(UsageError, match=r"expected frames of fog, which .* tells as causes, got none") as refused:
        check_answer_options(options, graphs)
    assert "--cause fog=DIR" in str(refused.value)
    named = tuple(str(refused.value).rpartition("--answers ")[2].split())
    check_answer_options(replace(options, answers=AnswerOptions(named)), graphs)
    stated = replace(record, cause=replace(record.cause, own={"ice": 0.9}))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    check_answer_options(replace(options, answers=AnswerOptions(causes={"ice": (iced,)})), graphs)


def test_plan_with_a_kind_of_a_users_own_tells_its_passes_and_its_faults(
    checkpoint: Path, drives: Path, iced: Path
) -> None:
    answers = AnswerOptions(("cause",), causes={"ice": (iced,)})
    options = ExportOptions(checkpoint, (drives,), iced.parent / "monitor", answers=answers, calibration=CALIBRATION)
    plan = plan_export(options)
    (finding,) = (each for each in plan.findings if each.subject == "answers")
    count = passes(48) + FEWEST_OWN
    assert finding.reason == f"{count:,} passes of the network over degraded calibration frames, and frames of ice"
    assert plan.command is not None
    assert f"ice={iced}" in plan.command
    min(iced.iterdir()).unlink()
    (problem,) = plan_export(options).problems
    assert f"expected at least {FEWEST_OWN} frames of the cause ice, got {FEWEST_OWN - 1}" in str(problem)


@pytest.mark.slow
def test_export_with_a_kind_of_a_users_own_tells_it_everywhere(
    export_small: ExportSmall, drives: Path, iced: Path, tmp_path: Path
) -> None:
    answers = AnswerOptions(("quality", "cause"), causes={"ice": (iced,)})
    out = export_small(frames=(drives,), calibration=CALIBRATION, answers=answers, out=tmp_path / "monitor")
    calibrated = tmp_path / "calibrated"
    recalibrate(RecalibrationOptions(out, calibrated, (drives,), calibration=CALIBRATION, answers=answers))
    new = write_iced(tmp_path / "new", 6, seed=78)
    for bundle in (out, calibrated):
        record = read_manifest(bundle).answers
        assert record is not None
        assert record.cause is not None
        assert set(record.kinds) == {*COMMON_KINDS, "ice"}
        assert record.rows == passes(48) + FEWEST_OWN
        assert record.cause.own.keys() == {"ice"}
        assert "and frames of ice" in (bundle / "README.md").read_text()
        with OoDMonitor(bundle) as monitor:
            verdicts = [monitor.assess(np.array(frame)) for frame in FrameFiles((new,))]
        called = [verdict for verdict in verdicts if verdict.cause == "ice"]
        assert len(called) >= 4
        assert all(verdict.severity != verdict.severity and "severity" not in str(verdict) for verdict in called)
        assert all(verdict.asdict()["severity"] is None for verdict in called)
    result = evaluate(EvaluationOptions(out, (drives,), {"ice": (new,)}, kinds=("fog",), severities=(3,), every=6))
    assert result.answers is not None
    assert result.answers.causes is not None
    assert result.answers.causes.right_own["ice"].value == pytest.approx(len(called) / len(verdicts), abs=0.2)
    assert "of ice called by it" in " ".join(answer_summary(result.answers))


def test_recalibrate_on_features_keeps_the_answers_as_they_are(answered: Path, drives: Path, tmp_path: Path) -> None:
    saved, told = tmp_path / "features.npz", ToldReporter()
    none = AnswerOptions(("none",))
    first = RecalibrationOptions(
        answered, tmp_path / "a", frames=(drives,), save_features=saved, calibration=CALIBRATION, answers=none
    )
    recalibrate(first)
    assert read_manifest(tmp_path / "a").answers is None
    chosen = CalibrationOptions(detector="mahalanobis", group_by="prefix", rates={"10%": 0.1})
    second = RecalibrationOptions(answered, tmp_path / "b", features=(saved,), calibration=chosen)
    recalibrate(second, told)
    assert any("keeping the answers beside the score as they are" in stage for stage in told.lines)
    assert read_manifest(tmp_path / "b").answers == read_manifest(answered).answers
    _same_answers(_verdicts(answered, drives), _verdicts(tmp_path / "b", drives))


@pytest.mark.parametrize("kind", ["fp16", pytest.param("int8", marks=pytest.mark.slow)])
def test_export_with_answers_in_fewer_bits_answers_by_that_network(
    kind: str, export_small: ExportSmall, drives: Path
) -> None:
    loose = PrecisionOptions(kind, max_flips=1.0, max_auroc_loss=1.0, max_pixel_changes=1.0)
    folder = export_small(frames=(drives,), calibration=CALIBRATION, answers=EVERY, precision=loose)
    with OoDMonitor(folder) as monitor:
        assert monitor.self_test().passed
        assert monitor.manifest.answers is not None
        assert monitor.manifest.answers.tiles is not None
        assert monitor.manifest.answers.map is not None


def test_export_with_labels_measures_miou(export_small: ExportSmall, drives: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in sorted(drives.iterdir()):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        Image.fromarray((grey // 64).astype(np.uint8)).save(labels / path.name)
    out = export_small(
        frames=(drives,),
        calibration=CALIBRATION,
        answers=AnswerOptions(("quality",), labels=(labels,)),
        out=tmp_path / "monitor",
    )
    record = read_manifest(out).answers
    assert record is not None
    assert record.quality is not None
    assert (record.quality.measure, record.cause) == ("miou", None)
    (labels / "a_0000.png").unlink()
    with pytest.raises(UsageError, match=r"expected a label for every calibration frame, a_0000\.png has none"):
        export_small(
            frames=(drives,),
            calibration=CALIBRATION,
            answers=AnswerOptions(("quality",), labels=(labels,)),
            out=tmp_path / "other",
        )


def test_evaluate_of_a_bundle_with_answers_scores_as_before(answered: Path, drives: Path) -> None:
    result = evaluate(EvaluationOptions(answered, (drives,), kinds=("fog",), severities=(3,), every=6))
    assert len(result.shifts) == 1
    with OoDMonitor(answered) as monitor:
        assert result.ind.score[5] == monitor.score(np.array(FrameFiles((drives,))[5]))


def test_evaluate_of_a_bundle_with_answers_collects_those_of_the_vehicle(
    answered: Path, drives: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = EvaluationOptions(
        answered, (drives,), kinds=("fog", "frost"), severities=(1, 5), every=8, group_by="prefix"
    )
    result = evaluate(options)
    assert result.answers is not None
    rows = result.answers.frames
    with OoDMonitor(answered) as monitor:
        for place, frame in list(enumerate(FrameFiles((drives,))))[::7]:
            verdict = monitor.assess(np.array(frame))
            numbers = (verdict.expected_quality, verdict.quality_low, verdict.quality_high, verdict.cause_probability)
            given = (rows.expected[place], rows.low[place], rows.high[place], rows.probability[place])
            np.testing.assert_allclose(given, np.array(numbers, np.float64), rtol=1e-6)
            assert rows.cause[place] == verdict.cause
            np.testing.assert_array_equal(rows.tiles[place], verdict.tiles)
    clean, degraded = rows.kind == "none", result.shifts[-1].frames
    assert (rows.truth[clean] == 1).all()
    assert degraded.losses is not None
    np.testing.assert_array_equal(rows.truth[rows.place == len(result.shifts)], degraded.losses.agreement)
    assert [group.in_fit for group in result.answers.by_kind] == [True, True, False]
    figures = json.loads(json.dumps(result.asdict()["answers"], allow_nan=False))
    page = render(result, "evaluate")
    assert figures["quality"]["groups"]["all frames"]["frames"] == len(rows)
    assert figures["tiles"]["shares_by_kind"]["fog"] == rows.tiles[rows.kind == "fog"].mean(axis=0).tolist()
    assert all(words in page for words in (TITLE, "Which tiles are abnormal"))
    assert "data:image/png" not in page
    print_evaluation(result)
    printed = " ".join(capsys.readouterr().out.split())
    assert all(sentence in printed for sentence in answer_summary(result.answers))


def test_map_that_is_asked_for_is_in_the_plan_with_its_cells_passes_and_layers(checkpoint: Path, drives: Path) -> None:
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=MAP, calibration=CALIBRATION)
    found = {each.subject: each for each in plan_export(options).findings}
    told = f"{cutout_passes(48):,} passes of the network over calibration frames with pasted objects"
    assert found["answers"].reason == told
    assert found["anomaly map"].value == "16 x 32 cells"
    layers = ("layer2", "layer3", "drop_block1")  # of strides 8 and 16: the first one's is finer
    assert all(layer in found["anomaly map"].reason for layer in layers)
    assert "layer1" not in found["anomaly map"].reason


@pytest.mark.parametrize("number", [19, 200])
def test_plan_of_a_road_class_that_the_network_lacks_says_so(number: int, checkpoint: Path, drives: Path) -> None:
    answers = AnswerOptions(("map",), road_classes=(0, number))
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=answers, calibration=CALIBRATION)
    (problem,) = plan_export(options).problems
    assert re.search(rf"expected --road-class of the \d+ classes .*, got {number}: name classes", str(problem))


@pytest.mark.parametrize(
    ("asked", "value", "reason"),
    [
        (BOTH, "cause and quality", f"{passes(48):,} passes of the network over degraded calibration frames"),
        (TILES, "tiles", f"{patched_passes(48):,} passes of the network over patched calibration frames"),
        (
            EVERY,
            "cause and map and quality and tiles",
            f"{passes(48) + patched_passes(48) + cutout_passes(48):,} passes of the network over degraded and patched "
            "calibration frames and calibration frames with pasted objects",
        ),
    ],
)
def test_answers_that_are_asked_for_are_in_the_plan_with_their_passes(
    asked: AnswerOptions, value: str, reason: str, checkpoint: Path, drives: Path
) -> None:
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=asked, calibration=CALIBRATION)
    (finding,) = (each for each in plan_export(options).findings if each.subject == "answers")
    assert (finding.value, finding.reason) == (value, reason)
    assert finding.words == ("--answers", *sorted(asked.answers))


def test_renewed_answers_of_tiles_alone_degrade_no_frame(answered: Path, drives: Path) -> None:
    told, frames = ToldReporter(), tuple(sorted(drives.iterdir()))[::4]
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=TILES)
    split = split_frames(frames, options.calibration)
    answers = renewed_answers(options, EvaluationGraphs(answered), split, told)
    assert answers is not None
    assert told.lines == [
        "fitting tiles to patched calibration frames",
        f"{patched_passes(12):,} passes of the network for abnormal tiles (clean frames: 12)",
    ]
    record, outputs = answers.record, {value.name for value in answers.graph.graph.output}
    assert (record.novelty_limit, record.kinds, record.quality, record.cause) == (None, (), None, None)
    assert (record.frames, record.drives, record.rows, outputs) == (12, 4, patched_passes(12), {"tiles"})


def test_plan_of_objects_that_cannot_be_used_names_the_file(checkpoint: Path, drives: Path, tmp_path: Path) -> None:
    _red().save(tmp_path / "cut.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "clear.png")
    answers = AnswerOptions(("map",), objects=(tmp_path,))
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=answers, calibration=CALIBRATION)
    (problem,) = plan_export(options).problems
    assert re.search(r"expected a cut-out that shows an object, got an alpha of 0 .*clear\.png", str(problem))


def test_renewed_answers_of_a_map_learn_from_objects_of_the_users_own_and_say_of_how_many(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    _red().save(tmp_path / "cut.png")
    frames, given = tuple(sorted(drives.iterdir()))[::4], AnswerOptions(("map",), objects=(tmp_path,))
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=given)
    graphs, split = EvaluationGraphs(answered), split_frames(frames, options.calibration)
    with_own, without = (
        renewed_answers(replace(options, answers=answers), graphs, split, ToldReporter()) for answers in (given, MAP)
    )
    assert with_own is not None
    assert without is not None
    own, drawn = with_own.record.map, without.record.map
    assert own is not None
    assert drawn is not None
    assert (own.own_objects, drawn.own_objects) == (1, 0)
    assert own.slopes != drawn.slopes
    assert (
        "learnt from drawn objects and 1 cut-out of the user's own"
        in answer_sentences(with_own.record)["unknown objects"]
    )
    assert "learnt from" not in answer_sentences(without.record)["unknown objects"]
    graphs.manifest = replace(graphs.manifest, answers=with_own.record)
    plain = replace(options, answers=AnswerOptions())
    with pytest.raises(
        UsageError, match=r"has learnt from 1 cut-outs of the user's own, got none: add --objects DIR, .*map"
    ):
        check_answer_options(plain, graphs)
    check_answer_options(replace(plain, answers=MAP), graphs)


def test_renewed_answers_of_a_map_alone_degrade_no_frame(answered: Path, drives: Path) -> None:
    told, frames = ToldReporter(), tuple(sorted(drives.iterdir()))[::4]
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=MAP)
    answers = renewed_answers(options, EvaluationGraphs(answered), split_frames(frames, options.calibration), told)
    assert answers is not None
    assert told.lines[0] == "fitting map to calibration frames with pasted objects"
    assert not any("for the answers" in line for line in told.lines)
    record, outputs = answers.record, {value.name for value in answers.graph.graph.output}
    assert (record.novelty_limit, record.kinds, record.quality, record.cause) == (None, (), None, None)
    assert (record.frames, record.drives, outputs) == (12, 4, {"anomaly_map"})
    assert 12 < record.rows <= cutout_passes(12) + 12


@pytest.mark.slow
def test_export_of_tiles_alone_tells_them_in_every_form(export_small: ExportSmall, drives: Path) -> None:
    folder = export_small(frames=(drives,), calibration=CALIBRATION, answers=TILES, fuse=True)
    record = read_manifest(folder).answers
    assert record is not None
    assert (record.novelty_limit, record.rows) == (None, patched_passes(48))
    with OoDMonitor(folder) as monitor:
        assert monitor.self_test().passed
        assert monitor.assess(np.array(FrameFiles((drives,))[0])).tile_values is not None


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no folder", "expected a folder of labels, found none"),
        ("no file", "expected PNG labels in the folders given by --labels"),
        ("one missing", r"expected a label for every calibration frame, a_0000\.png has none"),
        ("colours", r"expected one byte a pixel in the label .*a_0000\.png"),
        ("no class", r"a_0000\.png: expected label ids below \d+ or ignored ones, got 200"),
    ],
)
def test_plan_of_labels_that_cannot_be_used_names_them_in_its_table(
    fault: str, message: str, checkpoint: Path, drives: Path, labels: Path
) -> None:
    first = labels / "a_0000.png"
    if fault in ("no folder", "no file"):
        for path in labels.iterdir():
            path.unlink()
    if fault == "no folder":
        labels.rmdir()
    elif fault == "one missing":
        first.unlink()
    elif fault == "colours":
        Image.fromarray(np.zeros((80, 160, 3), np.uint8)).save(first)
    elif fault == "no class":
        Image.fromarray(np.full((80, 160), 200, np.uint8)).save(first)
    answers = AnswerOptions(("quality",), labels=(labels,))
    plan = plan_export(
        ExportOptions(checkpoint, (drives,), labels.parent / "monitor", answers=answers, calibration=CALIBRATION)
    )
    (problem,) = plan.problems
    assert re.search(message, str(problem))
    (finding,) = (each for each in plan.findings if each.subject == "labels")
    assert (finding.origin, finding.reason) == ("missing", str(problem))


def test_plan_of_labels_that_can_be_used_has_no_problem(checkpoint: Path, drives: Path, labels: Path) -> None:
    answers = AnswerOptions(("quality",), labels=(labels,))
    options = ExportOptions(checkpoint, (drives,), labels.parent / "monitor", answers=answers, calibration=CALIBRATION)
    assert not plan_export(options).problems


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": BOTH, "segmentation": "none"}, "expected a segmentation with --answers quality"),
        (
            {"answers": MAP, "segmentation": "none"},
            "expected a segmentation with --answers map, .* keep the segmentation",
        ),
        ({"answers": MAP, "format": "torchscript"}, "expected --answers none with --format torchscript"),
        ({"answers": AnswerOptions(road_classes=(0,))}, "expected --road-class with --answers map, got it alone"),
        ({"answers": AnswerOptions(objects=(Path("own"),))}, "expected --objects with --answers map, got it alone"),
        ({"answers": BOTH, "format": "torchscript"}, "expected --answers none with --format torchscript"),
        ({"answers": AnswerOptions(labels=(Path("labels"),))}, "expected --labels with --answers quality or map"),
        (
            {"answers": AnswerOptions(causes={"ice": (Path("ice"),)})},
            "expected --cause with --answers cause, got it alone",
        ),
    ],
)
def test_answers_that_a_form_cannot_give_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("monitor"), **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": ("none", "cause")}, "expected --answers none alone"),
        ({"answers": ("cause",), "road_classes": (0,)}, "expected --road-class with --answers map"),
        ({"answers": ("cause",), "objects": (Path("own"),)}, "expected --objects with --answers map"),
        ({"answers": ("cause",), "labels": (Path("labels"),)}, "expected --labels with --answers quality or map"),
    ],
)
def test_answer_options_that_contradict_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AnswerOptions(**given)


def test_config_of_a_bundle_with_answers_has_them_in_json(answered: Path) -> None:
    config = json.loads((answered / "manifest.json").read_bytes())["config"]
    nothing: dict[str, object] = {"labels": [], "ignored_labels": [255], "causes": {}}
    assert config["answers"] == {"answers": ["quality", "cause", "tiles", "map"], **nothing}
