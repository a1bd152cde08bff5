# SPDX-License-Identifier: Apache-2.0
"""The C interface of the camera stream, called from Python without a line of C, on cases of the table."""

import ctypes
import math
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import pytest

from lsood_runtime import History, State, read_manifest
from tests.cases.python_stream import drawn_picture
from tests.cases.stream_events import Case, Event, case_of
from tests.cases.stream_results import differing, expected_fields
from tests.cases.test_stream_cases import CASES
from tests.cpp.test_c_interface import Frame
from tests.cpp.test_c_interface import opened as opened_monitor
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import write_toy_bundle

NOW, ARGUMENT, NO_CAMERA = -(2**63), 1, None


class QualityRule(ctypes.Structure):
    _fields_ = (
        ("policy", c_char_p),
        ("clean_low", POINTER(c_double)),
        ("clean_count", c_size_t),
        *((name, c_double) for name in ("smallest", "frames_worth")),
    )


class StreamOptions(ctypes.Structure):
    _fields_ = (
        ("policy", c_char_p),
        ("calibration_frames", c_size_t),
        *((name, c_double) for name in ("effective_frames", "frozen_after_s")),
        ("quality", POINTER(QualityRule)),
    )


class StreamFrame(ctypes.Structure):
    _fields_ = (
        ("state", c_int32),
        *((name, c_double) for name in ("p_value", "quality_low")),
        ("image", POINTER(Frame)),
        ("stamp_ns", c_int64),
        ("camera", c_char_p),
    )


class StreamResult(ctypes.Structure):
    _fields_ = (
        *((name, c_int32) for name in ("state", "alarm", "onset", "history", "quality_alarm", "quality_onset")),
        *((name, c_int64) for name in ("index", "stamp_ns", "since_ns", "quality_since_ns")),
        *((name, c_double) for name in ("statistic", "quality_statistic")),
        ("reason", c_char * 256),
    )


@pytest.fixture(scope="module")
def library(cpp_build: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(cpp_build / "liblsood_c.so"))
    loaded.lsood_error.restype = c_char_p
    loaded.lsood_stream_open.argtypes = [POINTER(StreamOptions), POINTER(c_void_p)]
    loaded.lsood_stream_close.argtypes = [c_void_p]
    loaded.lsood_stream_calibration.argtypes = [c_void_p, POINTER(StreamOptions), POINTER(QualityRule)]
    loaded.lsood_close.argtypes = [c_void_p]
    loaded.lsood_stream_follow.argtypes = [c_void_p, POINTER(StreamFrame), POINTER(StreamResult)]
    loaded.lsood_stream_report_silent.argtypes = [c_void_p, c_char_p, c_int64, POINTER(StreamResult)]
    return loaded


def opened(library: ctypes.CDLL, case: Case) -> tuple[int, c_void_p, str]:
    stream, after = c_void_p(), 0.0 if case.frozen_after_s is None else case.frozen_after_s
    options = StreamOptions(case.policy.encode(), case.frames, case.effective, after)
    if (rule := case.quality) is not None:
        low = (c_double * len(rule.clean_low))(*rule.clean_low)
        options.quality = ctypes.pointer(QualityRule(rule.policy.encode(), low, len(low), rule.smallest, rule.worth))
    code = library.lsood_stream_open(byref(options), byref(stream))
    return code, stream, library.lsood_error().decode() if code else ""


def followed(library: ctypes.CDLL, stream: c_void_p, event: Event) -> dict[str, Any]:
    """What the stream gives for a frame, or for a report of silence."""
    found = StreamResult()
    stamp = NOW if event.stamp_ns is None else event.stamp_ns
    if event.do == "silent":
        assert library.lsood_stream_report_silent(stream, event.camera.encode(), stamp, byref(found)) == 0
    else:
        image, pixels = None, drawn_picture(event.picture)
        if pixels is not None:
            image = ctypes.pointer(Frame(pixels.ctypes.data, *pixels.shape, 0))
        state = list(State).index(State(event.state))
        frame = StreamFrame(state, event.p, event.low, image, stamp, event.camera.encode())
        assert library.lsood_stream_follow(stream, byref(frame), byref(found)) == 0
    return {
        "state": list(State)[found.state].value,
        "history": list(History)[found.history].value,
        "alarm": bool(found.alarm),
        "onset": bool(found.onset),
        "since_ns": None if found.since_ns < 0 else found.since_ns,
        "stamp_ns": found.stamp_ns,
        "statistic": found.statistic,
        "quality_alarm": bool(found.quality_alarm),
        "quality_onset": bool(found.quality_onset),
        "quality_since_ns": None if found.quality_since_ns < 0 else found.quality_since_ns,
        "quality_statistic": found.quality_statistic,
        "reason": found.reason.decode(),
    }


def test_c_stream_gives_what_the_table_expects(library: ctypes.CDLL) -> None:
    """Cases of the options that C has, and without the time of receipt."""
    played = 0
    for case in map(case_of, CASES):
        on_clock = all(event.stamp_ns is not None and event.stamp_ns > 0 for event in case.events)
        if case.tiles or case.tolerance != Case("", "", ()).tolerance or not on_clock:
            continue
        if case.max_cameras == 1 or case.name.endswith("never came"):
            continue
        played += 1
        code, stream, error = opened(library, case)
        assert (code, error) == (0, "")
        for event, expected in zip(case.events, case.expected, strict=True):
            found, fields = followed(library, stream, event), expected_fields(expected)
            assert not differing(fields, {name: found[name] for name in fields}), case.name
        library.lsood_stream_close(stream)
    assert played > 200


def test_c_stream_takes_its_calibration_from_a_monitor(library: ctypes.CDLL, tmp_path: Path) -> None:
    bundles = [tmp_path / name for name in ("plain", "answers")]
    for bundle in bundles:
        bundle.mkdir()
    write_toy_bundle(bundles[0])
    write_answers_bundle(bundles[1])
    for bundle in bundles:
        manifest = read_manifest(bundle)
        _, monitor, _ = opened_monitor(library, bundle)
        options, rule = StreamOptions(), QualityRule(b"2of3")
        assert library.lsood_stream_calibration(monitor, byref(options), None) == 0
        calibration = manifest.calibration
        assert options.calibration_frames == len(calibration.scores)
        assert options.effective_frames == calibration.effective_frames
        code = library.lsood_stream_calibration(monitor, byref(options), byref(rule))
        if manifest.answers is None or manifest.answers.quality is None:
            assert (code, rule.clean_count) == (2, 0)
            assert b"expected a bundle that tells the quality" in library.lsood_error()
        else:
            quality, point = manifest.answers.quality, manifest.operating_points[manifest.operating_point]
            assert (code, rule.policy) == (0, b"2of3")
            assert tuple(rule.clean_low[: rule.clean_count]) == quality.clean_low
            assert rule.smallest == (quality.min_quality(point.false_alarm_rate) or 0.0)
            assert rule.frames_worth == calibration.effective_frames / len(calibration.scores)
        library.lsood_close(monitor)
    assert library.lsood_stream_calibration(None, byref(StreamOptions()), None) == ARGUMENT
    assert library.lsood_error().startswith(b"expected a monitor and options")


def test_c_stream_says_why_a_frame_is_invalid_and_refuses_what_cannot_be(library: ctypes.CDLL) -> None:
    code, stream, error = opened(library, Case("", "3of9of", ()))
    assert (code, stream.value) == (ARGUMENT, None)
    assert error.startswith("expected an alarm policy such as 3of5")
    _, stream, _ = opened(library, Case("", "1of1", ()))
    assert followed(library, stream, Event(stamp_ns=-7, picture=None))["reason"].startswith("expected a stamp from 0")
    silent = followed(library, stream, Event("silent", "é" * 300))
    assert silent["state"] == "invalid"
    assert silent["reason"].startswith("expected frames of ééé")
    assert len(silent["reason"].encode()) in (254, 255), "cut between two characters"
    found, rule = StreamResult(), QualityRule(b"2of3", None, 1, 0.4, 1.0)

    def follow(frame: StreamFrame) -> int:
        code: int = library.lsood_stream_follow(stream, byref(frame), byref(found))
        return code

    def open_with(effective: float = 9.0, quality: "ctypes._Pointer[QualityRule] | None" = None) -> int:
        code: int = library.lsood_stream_open(
            byref(StreamOptions(b"3of5", 9, effective, 1.0, quality)), byref(c_void_p())
        )
        return code

    def rule_with(smallest: float, low: float, worth: float = 1.0) -> "ctypes._Pointer[QualityRule]":
        return ctypes.pointer(QualityRule(b"2of3", (c_double * 1)(low), 1, smallest, worth))

    for call, words in (
        (lambda: follow(StreamFrame(5, 0.5, 0.5, None, 1, b"front")), "expected a state from 0 to 4, got 5"),
        (lambda: follow(StreamFrame(-1, 0.5, 0.5, None, 1, b"front")), "expected a state from 0 to 4, got -1"),
        (lambda: follow(StreamFrame(0, math.nan, 0.5, None, 1, NO_CAMERA)), "expected the name of a camera"),
        (lambda: library.lsood_stream_follow(None, byref(StreamFrame()), byref(found)), "expected a stream, a frame"),
        (lambda: library.lsood_stream_report_silent(stream, None, 1, byref(found)), "expected a stream, a camera"),
        (lambda: library.lsood_stream_report_silent(stream, b"front", -5, byref(found)), "expected a time from 0"),
        (lambda: library.lsood_stream_open(None, byref(c_void_p())), "expected options and a place"),
        (lambda: library.lsood_stream_open(byref(StreamOptions()), byref(c_void_p())), "expected the text of a policy"),
        (lambda: open_with(effective=0.0), "expected calibration frames that are worth more than 0"),
        (lambda: open_with(effective=math.nan), "expected calibration frames that are worth more"),
        (lambda: open_with(quality=ctypes.pointer(rule)), "expected the policy and the numbers of a rule"),
        (lambda: open_with(quality=rule_with(0.4, math.nan)), "expected the lower ends of the clean frames'"),
        (lambda: open_with(quality=rule_with(math.nan, 0.5)), "expected a smallest quality, and a worth"),
        (lambda: open_with(quality=rule_with(0.4, 0.5, 0.0)), "expected a smallest quality, and a worth"),
    ):
        assert call() == ARGUMENT
        assert library.lsood_error().decode().startswith(words)
    library.lsood_stream_close(stream)
    library.lsood_stream_close(None)
