# SPDX-License-Identifier: Apache-2.0
"""Expected quality, cause and severity beside the score: what a frame gets, and when they are unknown."""

import dataclasses
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import Assessment, BundleError, Manifest, OoDMonitor, SelfTestError, State
from lsood_runtime._answers import AnswerRule, answer_names, answer_values, answer_words
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.graph import Graph
from lsood_runtime._inference.sessions import session_options
from lsood_runtime._inference.signatures import signatures
from tests.lsood_runtime.answers_bundle import (
    AT_MOST,
    KINDS,
    NOVELTY_LIMIT,
    SET_THRESHOLD,
    answers_by_hand,
    answers_graph,
    answers_manifest,
    frame_of_level,
    write_answers_bundle,
)
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal

NAMES = ("none", *KINDS)


def _expected(rows: dict[str, Any]) -> dict[str, Any]:
    """The answers by the words of ``Assessment``, written anew."""
    nan = math.nan
    known = bool(rows["novelty"] <= NOVELTY_LIMIT)
    mean, low, high = rows["quality"]
    fair = known and all(0 <= value <= 1 for value in (mean, low, high)) and low <= mean <= high
    quality = (float(mean), float(low), float(high)) if fair else (nan, nan, AT_MOST)
    shares, severity = rows["causes"], float(rows["severity"])
    right = known and not (shares < 0).any() and math.isclose(shares.sum(), 1, abs_tol=1e-6) and 0 <= severity <= 5
    probable = sorted((-share, place) for place, share in enumerate(shares) if share >= SET_THRESHOLD) if right else []
    chosen = tuple(NAMES[place] for _, place in probable)
    cause, probability = (chosen[0], -probable[0][0]) if chosen else ("unknown", nan)
    severe = 0.0 if cause == "none" else severity if chosen else nan
    return {
        "quality_measure": "miou",
        **dict(zip(("expected_quality", "quality_low", "quality_high"), quality, strict=True)),
        "cause": cause,
        "cause_probability": probability,
        "cause_set": chosen,
        "severity": severe,
    }


def _same(verdict: Any, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        got = getattr(verdict, name)
        if isinstance(value, float):
            assert got == pytest.approx(value, abs=1e-6, nan_ok=True), name
        else:
            assert got == value, name


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder)


def _frames() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Noise of many levels, some tinted towards one cause."""
    frames = [frame_of_level(level, seed) for seed, level in enumerate(np.linspace(0.1, 0.9, 17))]
    for place, frame in enumerate(frames[4:12]):
        frame[..., place % 3] = np.minimum(frame[..., place % 3].astype(int) + 40, 255)
    return frames


def test_assess_of_a_bundle_that_answers_gives_what_is_computed_by_hand(bundle: Path) -> None:
    seen = set()
    with OoDMonitor(bundle) as monitor:
        for frame in _frames():
            verdict = monitor.assess(frame)
            _same(verdict, _expected(answers_by_hand(frame)))
            seen.add(verdict.cause)
    assert seen == {"unknown", *NAMES}


def test_assess_batch_answers_as_single_frames_do(bundle: Path) -> None:
    frames = _frames()
    with OoDMonitor(bundle) as monitor:
        together = monitor.assess_batch([frames[0], None, *frames[1:]])
        single = [monitor.assess(frame) for frame in frames]
    assert together[1].cause == "unknown"
    for one, other in zip([together[0], *together[2:]], single, strict=True):
        _same(one, {name: getattr(other, name) for name in answer_names(Manifest.from_json(_text()).answers)})


def test_assess_frame_that_no_graph_saw_is_unknown(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        for verdict in (monitor.assess(None), monitor.report_invalid("lost")):
            assert verdict.state is State.INVALID
            assert (verdict.cause, verdict.cause_set, verdict.quality_measure) == ("unknown", (), "miou")
            numbers = (verdict.expected_quality, verdict.quality_low, verdict.quality_high, verdict.severity)
            assert all(number is not None and math.isnan(number) for number in numbers)
            assert "expected mIoU unknown; cause: unknown" in str(verdict)


def _all_unknown(verdict: Assessment) -> None:
    assert (verdict.state, verdict.is_ood) == (State.INVALID, True)
    assert (verdict.cause, verdict.cause_set, verdict.quality_measure) == ("unknown", (), "miou")
    values = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
    for name in ("expected_quality", "quality_low", "quality_high", "cause_probability", "severity"):
        assert math.isnan(getattr(verdict, name)), name
        assert values[name] is None
    assert "expected mIoU unknown; cause: unknown" in str(verdict)


@pytest.mark.parametrize("fault", ["black", "saturated", "of one colour", "stamp"])
def test_assess_frame_that_is_invalid_for_any_fault_answers_nothing(bundle: Path, fault: str) -> None:
    frame = frame_of_level(np.random.default_rng(len(fault)).uniform(0.45, 0.55), len(fault))
    with OoDMonitor(bundle) as monitor:
        assert monitor.assess(frame).cause != "unknown"
        if fault != "stamp":
            frame[:] = {"black": 0, "saturated": 255, "of one colour": 127}[fault]
        stamps = [-1 if fault == "stamp" else 5]
        _all_unknown(monitor.assess(frame, stamp_ns=stamps[0]))
        _all_unknown(monitor.assess_batch([frame], stamps_ns=stamps)[0])


@pytest.mark.parametrize("fault", ["frozen", "clock"])
def test_stream_frame_that_is_invalid_by_its_camera_answers_nothing(bundle: Path, fault: str) -> None:
    frames = [frame_of_level(0.5, 0 if fault == "frozen" else seed) for seed in range(14)]
    with OoDMonitor(bundle) as monitor:
        stream = monitor.stream("3of5")
        results = [
            stream.assess(frame, stamp_ns=10**12 + (i if fault == "frozen" else -i) * 10**8).verdict
            for i, frame in enumerate(frames)
        ]
        alone = monitor.assess(frames[-1])
    invalid = [verdict for verdict in results if verdict.state is State.INVALID]
    assert invalid
    for verdict in results:
        if verdict.state is State.INVALID:
            _all_unknown(verdict)
        else:
            assert verdict.cause != "unknown"
    assert (results[-1].score, results[-1].p_value) == (alone.score, alone.p_value), "the graphs ran"


@pytest.mark.parametrize("left", ["quality", "cause"])
def test_assess_of_a_bundle_with_one_answer_leaves_the_other_out(tmp_path: Path, left: str) -> None:
    with OoDMonitor(write_answers_bundle(tmp_path, **{left: False})) as monitor:
        verdict = monitor.assess(frame_of_level(0.5))
    answered = ("cause", "severity") if left == "quality" else ("quality_measure", "expected_quality")
    missing = ("quality_measure", "expected_quality") if left == "quality" else ("cause", "severity")
    assert all(getattr(verdict, name) is not None for name in answered)
    assert all(getattr(verdict, name) is None for name in missing)
    assert set(answered) <= verdict.asdict().keys()
    assert verdict.asdict().keys().isdisjoint(missing)


def test_asdict_of_an_assessment_is_json_with_none_for_what_is_unknown(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        known, unknown = monitor.assess(frame_of_level(0.5)), monitor.assess(frame_of_level(0.95))
    values = json.loads(json.dumps(known.asdict(), allow_nan=False))
    assert values["cause_set"].split() == list(known.cause_set)
    assert values["expected_quality"] == known.expected_quality
    values = json.loads(json.dumps(unknown.asdict(), allow_nan=False))
    assert (values["expected_quality"], values["quality_high"], values["cause"]) == (None, AT_MOST, "unknown")


def test_assessment_with_answers_survives_pickling(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        verdict = monitor.assess(frame_of_level(0.5))
    assert isinstance(copy := pickle.loads(pickle.dumps(verdict)), Assessment)
    assert copy.asdict() == verdict.asdict()


_numbers = st.one_of(st.floats(-0.2, 1.2), st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf]))


@given(
    quality=st.lists(_numbers, min_size=3, max_size=3),
    causes=st.one_of(
        st.lists(_numbers, min_size=3, max_size=3),
        st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(sum).map(lambda p: [x / sum(p) for x in p]),
    ),
    severity=st.one_of(st.floats(-1, 6), st.just(math.nan)),
    novelty=st.one_of(st.floats(0, 2 * NOVELTY_LIMIT), st.sampled_from([math.nan, math.inf])),
)
def test_answer_rule_on_any_numbers_of_a_graph_answers_or_says_unknown(
    quality: list[float], causes: list[float], severity: float, novelty: float
) -> None:
    rule = AnswerRule(Manifest.from_json(_text()).answers)
    rows = {
        "quality": np.array(quality),
        "causes": np.array(causes),
        "severity": np.array(severity),
        "novelty": np.array(novelty),
    }
    answers = rule.answers({name: values[None] for name, values in rows.items()}, 0)
    _same(answers, _expected(rows))


def test_device_pass_gives_the_answers_of_the_host_pass(tmp_path: Path) -> None:
    contents = open_bundle(write_answers_bundle(tmp_path, tiles=True, with_map=True, confidence=True))
    expected, providers = signatures(contents.manifest), [("CPUExecutionProvider", dict[str, Any]())]
    network = Graph(
        "n", contents.segmentation, {}, providers, session_options(1, None), expected.frame, expected.network
    )
    detector = Graph(
        "d", contents.detector, {}, providers, session_options(1, None), expected.features, expected.detector
    )
    frames = np.stack(_frames())
    outcome = DevicePass(network, detector, "cpu", 0).run(frames, {})
    for i, frame in enumerate(frames):
        for name, value in answers_by_hand(frame).items():
            np.testing.assert_allclose(outcome.answers[name][i], value, atol=1e-6)


def test_self_test_golden_answer_that_is_off_fails(tmp_path: Path) -> None:
    write_answers_bundle(tmp_path, off=0.02)
    with pytest.raises(SelfTestError, match=r"expected the answers on golden frame 0 within 0\.50% of their ranges"):
        OoDMonitor(tmp_path)
    with OoDMonitor(tmp_path, self_test=False) as monitor:
        result = monitor.self_test()
    assert not result.passed
    assert result.answer_errors == pytest.approx([0.02, 0.02], abs=1e-6)


@pytest.mark.parametrize("outputs", [(), ("quality", "causes", "severity"), ("causes", "severity", "novelty")])
def test_monitor_of_a_graph_without_a_stated_answer_is_refused(bundle: Path, outputs: tuple[str, ...]) -> None:
    (bundle / "detector.onnx").write_bytes(answers_graph(outputs))
    seal(bundle, answers_manifest())
    with pytest.raises(BundleError, match=r"expected detector\.onnx with the outputs"):
        OoDMonitor(bundle)


def _drop(arrays: dict[str, Any]) -> None:
    del arrays["novelty"]


def _narrow(arrays: dict[str, Any]) -> None:
    arrays["causes"] = arrays["causes"][:, :2]


def _single(arrays: dict[str, Any]) -> None:
    arrays["quality"] = arrays["quality"].astype(np.float32)


def _broken(arrays: dict[str, Any]) -> None:
    arrays["severity"] = np.full(len(arrays["severity"]), np.nan)


@pytest.mark.parametrize("spoil", [_drop, _narrow, _single, _broken])
def test_open_bundle_golden_answers_that_do_not_fit_are_refused(
    bundle: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    arrays = dict(np.load(bundle / "golden.npz"))
    spoil(arrays)
    np.savez(bundle / "golden.npz", **arrays)
    seal(bundle, answers_manifest())
    with pytest.raises(BundleError, match=r"golden\.npz"):
        open_bundle(bundle)


def _text(edit: Callable[[dict[str, Any]], object] | None = None) -> str:
    manifest = answers_manifest() | {"files": {}}
    if edit is not None:
        edit(manifest)
    return json.dumps(manifest)


def _set(where: str, value: object) -> Callable[[dict[str, Any]], object]:
    *path, last = where.split(".")

    def edit(manifest: dict[str, Any]) -> None:
        inner = manifest
        for name in path:
            inner = inner[name]
        inner[last] = value

    return edit


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("answers", {}),
        ("answers", []),
        ("answers", "yes"),
        ("answers.novelty_limit", 0.0),
        ("answers.novelty_limit", -1.0),
        ("answers.novelty_limit", "far"),
        ("answers.kinds", []),
        ("answers.kinds", ["fog", "fog"]),
        ("answers.kinds", ["fog", "none"]),
        ("answers.kinds", ["unknown", "noise"]),
        ("answers.kinds", ["fog", ""]),
        ("answers.kinds", ["fog", "two words"]),
        ("answers.kinds", ["fog", "noise", "mud"]),
        ("answers.frames", 0),
        ("answers.frames", 41),
        ("answers.drives", 11),
        ("answers.rows", True),
        ("answers.quality.measure", "quality"),
        ("answers.quality.coverage", 1.0),
        ("answers.quality.covered", 1.5),
        ("answers.quality.worst_kind", "mud"),
        ("answers.quality.spearman", -1.5),
        ("answers.quality.at_most", -0.1),
        ("answers.quality.median_width", None),
        ("answers.quality.clean_low", []),
        ("answers.quality.clean_drives", [0, 1]),
        ("answers.quality.rate_low", [0.1]),
        ("answers.quality.rate_high", [1.5]),
        ("answers.quality.clean_low", [0.5, 0.4]),
        ("answers.quality.clean_low", [-0.1, 0.4]),
        ("answers.quality.clean_low", [0.5, 1.1]),
        ("answers.cause.names", ["none", "noise", "fog"]),
        ("answers.cause.names", ["fog", "noise"]),
        ("answers.cause.set_threshold", 1.5),
        ("answers.cause.right", {"6": 0.5}),
        ("answers.cause.right", {"1": 2.0}),
        ("answers.cause.severity_error", 6.0),
        ("answers.cause.own", {"soiling": 0.5}),
        ("answers.cause.own", {"fog": 1.5}),
        ("golden.answers", {}),
        ("golden.answers", {"cpu": 0.005}),
        ("golden.answers", {"cpu": 0.005, "gpu": 0.5}),
        ("golden.answers", {"cpu": -1.0, "gpu": 0.05}),
    ],
)
def test_manifest_with_an_answer_that_cannot_be_is_refused(where: str, value: object) -> None:
    Manifest.from_json(_text())
    with pytest.raises(BundleError, match=rf"the manifest's field {where.split('.')[0]}"):
        Manifest.from_json(_text(_set(where, value)))


def test_manifest_without_a_segmentation_tells_no_quality() -> None:
    nothing = {"kind": "none", "num_classes": None, "height": None, "width": None}
    with pytest.raises(BundleError, match="null without a segmentation"):
        Manifest.from_json(_text(_set("segmentation", nothing)))


def test_manifest_with_nan_in_an_answer_is_refused() -> None:
    with pytest.raises(BundleError):
        Manifest.from_json(_text(_set("answers.quality.covered", math.nan)))


def test_manifest_with_answers_comes_back_from_its_json() -> None:
    manifest = Manifest.from_json(_text())
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert dataclasses.replace(manifest, answers=None).answers is None


def test_bundle_without_answers_gives_none_of_their_fields(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(random_frames(1, seed=5)[0])
    assert (verdict.expected_quality, verdict.cause, verdict.cause_set) == (None, None, ())
    assert not {"expected_quality", "cause", "severity", "quality_measure"} & verdict.asdict().keys()
    assert verdict.segmentation is not None
    assert verdict.segmentation.shape == (HEIGHT, WIDTH)


def test_assess_frame_whose_cause_is_a_kind_of_the_users_own_has_no_severity(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        told = [monitor.assess(frame) for frame in _frames()]
    record = Manifest.from_json(_text()).answers
    assert record is not None
    assert record.cause is not None
    for own in KINDS:
        rule = AnswerRule(dataclasses.replace(record, cause=dataclasses.replace(record.cause, own={own: 0.9})))
        for frame, verdict in zip(_frames(), told, strict=True):
            answers = rule.answers({name: np.array([row]) for name, row in answers_by_hand(frame).items()}, 0)
            assert answers.cause == verdict.cause
            if verdict.cause == own:
                assert math.isnan(answers.severity or 0.0)
                assert "severity" not in answer_words(answers)
                assert answer_values(answers)["severity"] is None
            else:
                assert answers.severity == pytest.approx(verdict.severity, nan_ok=True)
