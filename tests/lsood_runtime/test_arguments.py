# SPDX-License-Identifier: Apache-2.0
"""Every argument of the public interface with values of wrong types and sizes: one line says what was expected instead."""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lsood_runtime import (
    Cusum,
    DailySummary,
    FrameSelector,
    Hysteresis,
    KOfN,
    LatestFrameWorker,
    LsoodError,
    Manifest,
    MinimumDuration,
    OoDMonitor,
    PixelRules,
    ScoreHistogram,
    Stream,
    SummaryRecorder,
    TileCheck,
    choose_alarm,
    decode_message,
    expected_false_alarms,
    pack_bundle,
    parse_policy,
    pull_bundle,
    push_bundle,
    read_manifest,
    read_summaries,
    write_summaries,
)
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.conftest import random_frames, write_noise_bundle, write_toy_bundle
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor

FRAME = random_frames(1, 0)[0]
MANIFEST = Manifest.from_json(text_with())
CALIBRATION = MANIFEST.calibration
SUMMARY, OTHER = (DailySummary(name, "front", date(2026, 11, 23), "0" * 64, 1.5) for name in ("car", "van"))


def generator() -> Iterator[Any]:
    yield FRAME


NO_NUMBER: list[Any] = [True, "3", [], {}, 1j, object(), np.zeros((3, 3))]
NO_COUNT: list[Any] = [*NO_NUMBER, 1.0, math.nan, "x" * 1000]
NO_TEXT: list[Any] = [None, True, 3, 0.5, math.nan, b"front", ["front"], FRAME]
NO_FLAG: list[Any] = [None, 0, 1, "no", [], math.nan]
NO_FUNCTION: list[Any] = [True, 3, "print", [], math.nan]
NO_STAMP: list[Any] = [True, "5", 5.0, math.nan, [], np.zeros(3), FRAME]
POSITIVE: list[Any] = [None, *NO_NUMBER, math.nan, 0, -1, -math.inf]
NO_POLICY: list[Any] = [None, True, 3, 0.5, math.nan, [], KOfN, object()]
NO_CAMERA: list[Any] = [None, True, 3, 0.5, b"front", ["front"], FRAME]
NO_CALIBRATION: list[Any] = [None, True, 3, "monitor/", [], MANIFEST]
NO_MANIFEST: list[Any] = [None, True, 3, "monitor/", CALIBRATION]

WRONG: dict[str, dict[str, list[Any]]] = {
    "OoDMonitor": {
        "bundle": [None, True, 3, math.nan, b"monitor", [], "", "nowhere\0"],
        "providers": ["cpu", 3, True, {"cpu": {}}, [None], [3], [("cpu",)], ["nonsense"], generator(), [("cpu", 3)]],
        "allow_fallback": NO_FLAG,
        "require_provider": NO_FLAG,
        "threads": [*NO_COUNT, 0, -1, 10**9],
        "batch": [*NO_COUNT, 0, -1],
        "session_options": NO_FUNCTION,
        "channels": [True, 3, [], b"rgb", "", "RGB", "grb", np.array(["rgb", "bgr"])],
        "operating_point": [True, 3, 0.05, [], {}, "", "6%", math.nan],
        "deadline_ms": [value for value in POSITIVE if value is not None],
        "min_quality": [*[value for value in POSITIVE if value is not None], 1.5],
        "object_region": [None, True, 3, [], b"road", "", "Road", "sky", ("frame", "road")],
        "validate": NO_FLAG,
        "tile_check": [True, 3, "4x8", [], (4, 8), {}, TileCheck],
        "self_test": NO_FLAG,
        "self_test_seconds": [*[value for value in POSITIVE if value is not None], math.inf],
        "expected_sha256": [True, 3, b"0", [], "", "0" * 63, "g" * 64],
        "public_key": [True, 3, b"key.pem", [], "", "nowhere.pem"],
        "keep_features": NO_FLAG,
    },
    "FrameSelector": {
        "budget": [None, *NO_COUNT, 0, -1, 10**7],
        "by": [True, 3, "score", [], [3], ["fog"], ["score", "fog"], {"score"}, generator()],
        "per_drive": [*NO_COUNT, 0],
        "per_cause": [*NO_COUNT, 0],
        "candidates": [None, *NO_COUNT, 0, 1001],
        "min_distance": [None, *NO_NUMBER, math.nan, -1, math.inf],
        "group_by": [True, 3, [], "", "day"],
        "seed": [None, *NO_COUNT, -1],
    },
    "selector.read": {"path": [None, True, 3, b"rows.csv", [], "nowhere.csv", "rows.txt"], "on_rows": NO_FUNCTION},
    "selector.merge": {"other": [None, True, 3, "rows.csv", FrameSelector(5, seed=1)]},
    "monitor.score": {
        "frame": [None, True, 3, "x.png", b"", [], FRAME[0], FRAME[None], FRAME * 1.0, generator()],
        "noise": [3, True, [], [FRAME], generator()],
    },
    "noisy.score": {
        "frame": [None],
        "noise": [3, True, "x", [], [None], {}, FRAME, np.array(3.0), generator()],
    },
    "monitor.score_batch": {"frames": [None, True, 3, "x.png", [], [None], FRAME, FRAME[None][:0], generator()]},
    "monitor.assess": {"noise": [3, [], generator()], "stamp_ns": NO_STAMP},
    "monitor.assess_since": {
        "start": [None, True, "now", [], math.nan, math.inf],
        "noise": [3],
        "stamp_ns": NO_STAMP,
        "judge_tiles": NO_FLAG,
    },
    "monitor.assess_batch": {
        "frames": [None, True, 3, "x.png", [], FRAME, generator(), (FRAME for _ in range(2)), {1: FRAME}],
        "stamps_ns": [3, True, "5", b"5", [], [1, 2], [1.0], ["x"], [True], math.nan, np.zeros(1)],
    },
    "monitor.report_invalid": {"reason": [*NO_TEXT, "", " \n"], "stamp_ns": NO_STAMP},
    "monitor.warm_up": {"rounds": [None, *NO_COUNT, 0, -3]},
    "monitor.stream": {
        "policy": [*NO_POLICY, "", "3 of 5", "5of3", "0of5", "9" * 5000 + "of5", "1/h", "0/h@30", "1/h@0", "1/h@1e300"],
        "frozen_after_s": [*NO_NUMBER, math.nan, math.inf, 0, -1],
        "frozen_tolerance": [None, *NO_NUMBER, math.nan, -0.1, 1],
        "max_cameras": [None, *NO_COUNT, 0],
        "on_result": NO_FUNCTION,
        "quality_policy": ["3of5", *[value for value in NO_POLICY if value is not None]],
    },
    "Stream": {
        "monitor": [None, True, 3, "monitor/", MANIFEST],
        "policy": [*NO_POLICY, "3of5"],
        "frozen_after_s": [*NO_NUMBER, math.nan, math.inf, 0, -1],
        "frozen_tolerance": [None, *NO_NUMBER, math.nan, -0.1, 1],
        "max_cameras": [None, *NO_COUNT, 0],
        "on_result": NO_FUNCTION,
        "quality": ["3of5", True, 3, [], KOfN(), MANIFEST],
    },
    "stream.assess": {"noise": [3, []], "stamp_ns": NO_STAMP, "camera": NO_CAMERA},
    "stream.assess_since": {
        "start": [None, True, "now", math.nan],
        "noise": [3],
        "stamp_ns": NO_STAMP,
        "camera": NO_CAMERA,
    },
    "stream.report_invalid": {"reason": [*NO_TEXT, ""], "stamp_ns": NO_STAMP, "camera": NO_CAMERA},
    "stream.silent": {
        "now_ns": [*NO_STAMP, -1, 2**63],
        "max_age_s": [None, *NO_NUMBER, math.nan, -1],
        "expected": [None, True, 3, "front", b"front", [3], [None], math.nan],
    },
    "stream.report_silent": {"camera": NO_CAMERA, "now_ns": [*NO_STAMP, -1, 2**63]},
    "stream.forget": {"camera": [*NO_CAMERA, "nobody"]},
    "stream.drift": {"camera": [*NO_CAMERA, "nobody"]},
    "stream.frames_per_second": {"camera": [*NO_CAMERA, "nobody"]},
    "stream.summary": {"camera": [*NO_CAMERA, "nobody"]},
    "LatestFrameWorker": {"stream": [None, True, 3, "3of5", KOfN(), MANIFEST]},
    "worker.submit": {"stamp_ns": NO_STAMP, "camera": NO_CAMERA},
    "KOfN": {"k": [None, *NO_COUNT, 0, -1, 6], "n": [None, *NO_COUNT, 0, 2, 10**12]},
    "Hysteresis": {"raise_at": [*POSITIVE, 0.5, 1], "clear_at": [*POSITIVE, 0.001, 1]},
    "MinimumDuration": {
        "seconds": [None, *NO_NUMBER, math.nan, math.inf, -1, 10**400],
        "hold_seconds": [None, *NO_NUMBER, math.nan, math.inf, -1],
    },
    "Cusum": {
        "hours_between_false_alarms": [*POSITIVE, math.inf],
        "frames_per_second": [*POSITIVE, math.inf, 10**400],
    },
    "parse_policy": {"text": [*NO_TEXT, "", "3of5 ", "1/h", "5of3", "duration:-1", "cusum:0h@30", "hysteresis:1:2"]},
    "choose_alarm": {
        "manifest": NO_MANIFEST,
        "frames_per_second": [*POSITIVE, math.inf, 1e9],
        "per_hour": [*POSITIVE, math.inf],
        "operating_point": [True, 3, [], "", "6%"],
    },
    "expected_false_alarms": {
        "policy": [*NO_POLICY, "3of5"],
        "manifest": NO_MANIFEST,
        "frames_per_second": [*POSITIVE, math.inf, 1e9],
        "operating_point": [True, 3, [], "", "6%"],
        "frames": [None, *NO_COUNT, 0, 10**15],
        "seed": [None, *NO_COUNT, -1],
    },
    "ScoreHistogram": {"calibration": NO_CALIBRATION},
    "histogram.add": {"score": [None, *NO_NUMBER, math.nan]},
    "histogram.merge": {"other": [None, True, 3, "{}", CALIBRATION]},
    "histogram.index_by_chance": {"level": [*POSITIVE, 1]},
    "ScoreHistogram.from_json": {
        "text": [None, True, 3, math.nan, "", "[]", "{}", b"x"],
        "calibration": NO_CALIBRATION,
    },
    "read_manifest": {
        "folder": [None, True, 3, math.nan, b"monitor", [], "", "nowhere\0"],
        "expected_sha256": [True, 3, b"0", [], "", "0" * 63, "g" * 64],
    },
    "SummaryRecorder": {
        "monitor": [None, True, 3, "monitor/", MANIFEST, KOfN()],
        "vehicle": [*NO_TEXT, "", " \n"],
        "folder": [True, 3, b"summaries", [], "nowhere", "nowhere\0"],
    },
    "recorder.add": {"result": [None, True, 3, 0.5, "ok", {}, MANIFEST], "camera": NO_CAMERA},
    "recorder.add_dropped": {"count": [None, *NO_COUNT, -1], "camera": NO_CAMERA, "stamp_ns": NO_STAMP},
    "recorder.observe": {"meter": [None, True, 3, "lsood", []]},
    "DailySummary.merge": {"other": [None, True, 3, {}, SUMMARY.counts, OTHER]},
    "read_summaries": {"path": [None, True, 3, b"day.parquet", []]},
    "write_summaries": {
        "summaries": [None, True, 3, "ab", [3], SUMMARY, [SUMMARY, None]],
        "path": [None, True, 3, b"day.parquet", [], "nowhere/day.parquet", "nowhere\0/day"],
    },
    "pack_bundle": {
        "bundle": [None, True, 3, math.nan, b"monitor", [], "", "nowhere\0"],
        "out": [None, True, 3, math.nan, b"monitor.zip", [], "", "monitor", "monitor.tar.gz", "nowhere\0"],
        "expected_sha256": [True, 3, b"0", [], "", "0" * 63, "g" * 64],
        "public_key": [True, 3, b"key.pem", [], "", "nowhere.pem"],
    },
    "pull_bundle": {
        "name": [*NO_TEXT, "", "monitor", "../monitor", "org/monitor\n"],
        "out": [None, True, 3, math.nan, b"monitor", [], "", "nowhere/monitor", "nowhere\0"],
        "revision": [True, 3, b"main", []],
        "expected_sha256": [True, 3, b"0", [], "", "0" * 63, "g" * 64],
        "public_key": [True, 3, b"key.pem", []],
    },
    "push_bundle": {
        "bundle": [None, True, 3, math.nan, b"monitor", [], "", "nowhere\0"],
        "name": [*NO_TEXT, "", "monitor", "org/a b", "org/monitor/front"],
        "public": NO_FLAG,
        "expected_sha256": [True, 3, b"0", [], "", "0" * 63, "g" * 64],
        "public_key": [True, 3, b"key.pem", [], "", "nowhere.pem"],
    },
    "TileCheck": {
        "rows": [None, *NO_COUNT, 0, -1, 17],
        "columns": [None, *NO_COUNT, 0, -1, 17],
        "share": [*POSITIVE, math.inf, 1.01],
        "frames": [None, *NO_COUNT, 0, -1],
    },
    "PixelRules": {
        "encodings": [None, True, 3, "bgr8", [3], ("rgb",), generator()],
        "grey": NO_FLAG,
        "bits": [*NO_COUNT, 0, 8, 17],
        "yuv": [True, 3, "", "bt2020", []],
    },
    "decode_message": {
        "message": [None, True, 3, "x.png", b"", FRAME],
        "channels": [*NO_TEXT, "", "RGB", "grey"],
        "rules": [None, True, 3, "grey"],
    },
}
"""Wrong values by argument; one that is missing here is a parameter that any frame or value fits, or a new one."""

ANY_VALUE = {
    ("monitor.assess", "frame"): "no defect of a frame is an error: it is INVALID",
    ("monitor.assess_since", "frame"): "as for assess",
    ("stream.assess", "frame"): "as for assess",
    ("stream.assess_since", "frame"): "as for assess",
    ("worker.submit", "frame"): "as for assess",
    ("decode_message", "size"): "rows and columns, which the message's own are compared with",
}

RIGHT: dict[str, dict[str, Any]] = {
    "monitor.score": {"frame": FRAME},
    "noisy.score": {"frame": FRAME},
    "monitor.score_batch": {"frames": FRAME[None]},
    "monitor.assess": {"frame": FRAME},
    "monitor.assess_since": {"start": 0.0, "frame": FRAME},
    "monitor.assess_batch": {"frames": FRAME[None]},
    "monitor.report_invalid": {"reason": "no image"},
    "monitor.stream": {"policy": "3of5"},
    "Stream": {"monitor": ScriptedMonitor(), "policy": KOfN()},
    "stream.assess": {"frame": FRAME},
    "stream.assess_since": {"start": 0.0, "frame": FRAME},
    "stream.report_invalid": {"reason": "no image"},
    "worker.submit": {"frame": FRAME},
    "recorder.add": {"result": ScriptedMonitor().report_invalid("no image", stamp_ns=1)},
    "SummaryRecorder": {"monitor": SimpleNamespace(manifest_sha256="0" * 64, threshold=1.5), "vehicle": "car"},
    "write_summaries": {"summaries": [SUMMARY], "path": "nowhere/day.parquet"},
    "parse_policy": {"text": "3of5"},
    "choose_alarm": {"manifest": MANIFEST, "frames_per_second": 10},
    "expected_false_alarms": {"policy": KOfN(), "manifest": MANIFEST, "frames_per_second": 10},
    "ScoreHistogram": {"calibration": CALIBRATION},
    "histogram.add": {"score": 1.0},
    "histogram.merge": {"other": ScoreHistogram(CALIBRATION)},
    "ScoreHistogram.from_json": {"text": ScoreHistogram(CALIBRATION).to_json(), "calibration": CALIBRATION},
    "decode_message": {"message": SimpleNamespace(format="png", data=b""), "channels": "rgb"},
    "FrameSelector": {"budget": 5},
    "selector.read": {"path": "nowhere.csv"},
}
"""Arguments that are needed beside the wrong one."""


@pytest.fixture(scope="module")
def callables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[..., Any]]]:
    folder = write_toy_bundle(tmp_path_factory.mktemp("arguments"))
    packed = folder.with_name("packed.zip")
    noisy_folder = write_noise_bundle(tmp_path_factory.mktemp("noisy"))
    with (
        OoDMonitor(folder, self_test=False) as monitor,
        OoDMonitor(noisy_folder, self_test=False) as noisy,
        LatestFrameWorker(monitor.stream("3of5")) as worker,
    ):
        stream, histogram = monitor.stream("3of5"), ScoreHistogram(CALIBRATION)
        stream.assess(FRAME, stamp_ns=1)
        owners = {"monitor": monitor, "noisy": noisy, "stream": stream, "worker": worker, "histogram": histogram}
        owners |= {"ScoreHistogram": ScoreHistogram, "selector": FrameSelector(5), "DailySummary": SUMMARY}
        owners["recorder"] = SummaryRecorder(monitor, vehicle="car")
        found: dict[str, Callable[..., Any]] = {
            "read_manifest": lambda folder=folder, **others: read_manifest(folder, **others),
            "pack_bundle": lambda bundle=folder, out=packed, **others: pack_bundle(bundle, out, **others),
            "pull_bundle": lambda name="org/monitor", out=packed, **others: pull_bundle(name, out, **others),
            "push_bundle": lambda bundle=folder, name="org/monitor", **others: push_bundle(bundle, name, **others),
            "OoDMonitor": lambda bundle=folder, **others: OoDMonitor(bundle, **others),
            **{kind.__name__: kind for kind in (Stream, LatestFrameWorker, KOfN, Hysteresis, MinimumDuration, Cusum)},
            **{each.__name__: each for each in (ScoreHistogram, PixelRules, TileCheck, parse_policy, choose_alarm)},
            **{each.__name__: each for each in (expected_false_alarms, decode_message, FrameSelector)},
            **{each.__name__: each for each in (SummaryRecorder, read_summaries, write_summaries)},
        }
        for name in WRONG:
            owner, _, method = name.partition(".")
            if method:
                found[name] = getattr(owners[owner], method)
        yield found


DEFAULTED = ("OoDMonitor", "pack_bundle", "pull_bundle", "push_bundle", "read_manifest")
"""Called above by functions with defaults."""

CASES = [(name, argument, value) for name, of in WRONG.items() for argument, wrong in of.items() for value in wrong]


@pytest.mark.parametrize("name", WRONG)
def test_public_argument_of_a_wrong_value_is_refused_in_one_line(
    callables: dict[str, Callable[..., Any]], name: str
) -> None:
    for argument, values in WRONG[name].items():
        for value in values:
            given = RIGHT.get(name, {}) | {argument: value}
            with pytest.raises((TypeError, ValueError, LsoodError)) as caught:
                callables[name](**given)
            message = str(caught.value)
            where = f"{name}({argument}={value!r}): {message}"
            assert re.match(r"(\S+ )*expected .+", message), where
            assert re.search(r"(got|found|does not|cannot|this bundle's).*[:.;] .+", message), where
            assert "\n" not in message, where
            assert len(message) < 500, where


@pytest.mark.parametrize("name", [name for name in WRONG if name not in DEFAULTED])
def test_public_arguments_all_stand_in_the_table(callables: dict[str, Callable[..., Any]], name: str) -> None:
    parameters = set(inspect.signature(callables[name]).parameters)
    left_out = {argument for where, argument in ANY_VALUE if where == name}
    assert parameters == WRONG[name].keys() | left_out
    assert not WRONG[name].keys() & left_out


def test_public_methods_and_constructors_all_stand_in_the_table() -> None:
    assert inspect.signature(OoDMonitor).parameters.keys() == WRONG["OoDMonitor"].keys()
    assert inspect.signature(read_manifest).parameters.keys() == WRONG["read_manifest"].keys()
    for function in (pack_bundle, pull_bundle, push_bundle):
        assert inspect.signature(function).parameters.keys() == WRONG[function.__name__].keys()
    for prefix, kind in (
        ("monitor", OoDMonitor),
        ("stream", Stream),
        ("worker", LatestFrameWorker),
        ("selector", FrameSelector),
        ("recorder", SummaryRecorder),
    ):
        methods = {
            f"{prefix}.{name}"
            for name, value in vars(kind).items()
            if not name.startswith("_") and inspect.isfunction(value) and len(inspect.signature(value).parameters) > 1
        }
        assert methods <= WRONG.keys()


def test_unknown_camera_and_operating_point_name_those_that_there_are(
    callables: dict[str, Callable[..., Any]],
) -> None:
    with pytest.raises(KeyError, match=r"^expected a camera that has sent something, got 'nobody': .*'camera'"):
        callables["stream.drift"]("nobody")
    with pytest.raises(LsoodError, match=r"operating point of the bundle \(5%, half\), got '6%'"):
        callables["OoDMonitor"](operating_point="6%")


def test_batch_of_a_generator_is_told_to_become_a_list(callables: dict[str, Callable[..., Any]]) -> None:
    for name in ("monitor.assess_batch", "monitor.score_batch"):
        with pytest.raises(ValueError, match=r"A batch is an array or a list: pass list\(frames\)"):
            callables[name](generator())


def test_numbers_of_numpy_are_taken_as_numbers(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path)
    with OoDMonitor(folder, threads=np.int64(1), deadline_ms=np.float32(1e6)) as monitor:  # type: ignore[arg-type]
        stream = monitor.stream(KOfN(np.int32(1), np.int32(2)), frozen_after_s=np.float32(2))  # type: ignore[arg-type]
        assert stream.assess(FRAME, stamp_ns=np.uint32(7)).verdict.stamp_ns == 7
        assert monitor.warm_up(np.uint8(1)) > 0  # type: ignore[arg-type]
