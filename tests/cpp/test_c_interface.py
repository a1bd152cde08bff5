# SPDX-License-Identifier: Apache-2.0
"""The C interface, called from Python without a line of C: what another language does."""

import ctypes
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8, c_void_p
from pathlib import Path

import numpy as np
import pytest

from lsood_runtime import OoDMonitor
from tests.cpp.playing import STAMP
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, write_toy_bundle


class Frame(ctypes.Structure):
    _fields_ = (("data", c_void_p), *((name, c_int64) for name in ("height", "width", "channels", "stride")))


class Object(ctypes.Structure):
    _fields_ = (
        *((name, c_double) for name in ("x", "y", "width", "height", "area", "peak", "road_distance")),
        ("class_id", c_int64),
        ("where", c_char_p),
    )


class Verdict(ctypes.Structure):
    _fields_ = (
        *((name, c_double) for name in ("score", "p_value", "threshold", "latency_ms")),
        ("stamp_ns", c_int64),
        *((name, c_int32) for name in ("state", "is_ood", "is_late")),
        ("reason", c_char_p),
        ("parts", POINTER(c_double)),
        ("part_count", c_size_t),
        ("classes", POINTER(c_uint8)),
        ("logits", POINTER(c_float)),
        *((name, c_double) for name in ("expected_quality", "quality_low", "quality_high")),
        ("cause", c_char_p),
        *((name, c_double) for name in ("cause_probability", "severity")),
        ("tiles", POINTER(c_uint8)),
        ("tile_values", POINTER(c_double)),
        ("tile_count", c_size_t),
        ("tile_words", c_char_p),
        ("class_confidence", POINTER(c_double)),
        ("class_count", c_size_t),
        ("anomaly_map", POINTER(c_float)),
        ("objects", POINTER(Object)),
        ("object_count", c_size_t),
        ("object_words", c_char_p),
        ("faulty_tiles", POINTER(c_uint8)),
        ("faulty_tile_count", c_size_t),
        ("tile_faults", c_char_p),
    )


@pytest.fixture(scope="module")
def library(cpp_build: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(cpp_build / "liblsood_c.so"))
    for name in ("lsood_error", "lsood_provider", "lsood_state_name"):
        getattr(loaded, name).restype = c_char_p
    for name in ("lsood_provider", "lsood_close", "lsood_self_test"):
        getattr(loaded, name).argtypes = [c_void_p]
    loaded.lsood_error.argtypes = []
    loaded.lsood_assess.argtypes = [c_void_p, POINTER(Frame), c_int64, POINTER(POINTER(Verdict))]
    return loaded


def opened(library: ctypes.CDLL, folder: Path, *options: str) -> tuple[int, c_void_p, str]:
    words = (c_char_p * len(options))(*(option.encode() for option in options))
    monitor = c_void_p()
    code = library.lsood_open(str(folder).encode(), words, c_size_t(len(options)), ctypes.byref(monitor))
    return code, monitor, library.lsood_error().decode() if code else ""


def test_c_interface_gives_the_verdicts_of_the_python_runtime(library: ctypes.CDLL, tmp_path: Path) -> None:
    bundle = write_answers_bundle(tmp_path, tiles=True, with_map=True, confidence=True)
    code, monitor, error = opened(library, bundle, "threads=1", "min_quality=0.3", "tile_check=none")
    assert (code, error) == (0, "")
    assert library.lsood_provider(monitor) == b"CPUExecutionProvider"
    assert library.lsood_self_test(monitor) == 0
    with OoDMonitor(bundle, threads=1, min_quality=0.3, tile_check=None) as python:
        for level in np.linspace(0, 1, 21):
            pixels = frame_of_level(level)
            expected = python.assess(pixels, stamp_ns=STAMP)
            found = POINTER(Verdict)()
            frame = Frame(pixels.ctypes.data, HEIGHT, WIDTH, 3, 0)
            assert library.lsood_assess(monitor, ctypes.byref(frame), STAMP, ctypes.byref(found)) == 0
            verdict = found.contents
            assert verdict.score == expected.score
            assert library.lsood_state_name(verdict.state).decode() == expected.state.value
            assert verdict.reason.decode() == expected.reason
            assert (verdict.cause.decode(), verdict.tile_words.decode()) == (expected.cause, expected.tile_words)
            assert verdict.object_words.decode() == expected.object_words
            assert verdict.stamp_ns == STAMP
            np.testing.assert_equal(verdict.expected_quality, expected.expected_quality)
            described = [verdict.objects[i] for i in range(verdict.object_count)]
            wanted = [(each.x, each.peak, each.class_id, each.where) for each in expected.objects]
            assert [(each.x, each.peak, each.class_id, each.where.decode()) for each in described] == wanted
            assert expected.class_confidence is not None
            confidence = [verdict.class_confidence[i] for i in range(verdict.class_count)]
            assert confidence == expected.class_confidence.tolist()
            assert expected.segmentation is not None
            classes = np.ctypeslib.as_array(verdict.classes, (HEIGHT, WIDTH))
            np.testing.assert_array_equal(classes, expected.segmentation)
    library.lsood_close(monitor)


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [
        ("speed=1", 1, "expected an option of a monitor, got 'speed=1'"),
        ("threads", 1, "expected an option as name=value"),
        ("threads=two", 1, "expected a whole number of threads"),
        ("fused=yes", 1, "expected 0 or 1"),
        ("tile_check=4x8", 1, "expected tiles as ROWSxCOLUMNSxSHARE"),
        ("deadline_ms=fast", 1, "expected a number"),
        ("operating_point=9%", 2, "expected an operating point"),
        ("provider=NoSuch", 3, "NoSuch"),
    ],
)
def test_c_interface_refuses_options_that_cannot_be(
    library: ctypes.CDLL, tmp_path: Path, option: str, code: int, words: str
) -> None:
    found, monitor, error = opened(library, write_answers_bundle(tmp_path), option)
    assert (found, monitor.value) == (code, None)
    assert words in error


def test_every_call_that_fails_leaves_a_message(library: ctypes.CDLL, tmp_path: Path) -> None:
    frame, verdict, monitor = Frame(), POINTER(Verdict)(), c_void_p()
    calls: tuple[tuple[Callable[[], int], str], ...] = (
        (
            lambda: library.lsood_assess(None, ctypes.byref(frame), 0, ctypes.byref(verdict)),
            "expected a monitor, a frame ",
        ),
        (lambda: library.lsood_self_test(None), "expected a monitor, got a null pointer"),
        (lambda: library.lsood_open(None, None, c_size_t(0), ctypes.byref(monitor)), "expected a folder and a place "),
        (lambda: library.lsood_open(b"none", None, c_size_t(0), None), "expected a folder and a place "),
        (lambda: library.lsood_open(b"none", None, c_size_t(1), ctypes.byref(monitor)), "expected an array of options"),
        (
            lambda: library.lsood_open(b"none", (c_char_p * 1)(None), c_size_t(1), ctypes.byref(monitor)),
            "expected options that are texts",
        ),
    )
    for call, expected in calls:
        assert call() == 1
        assert library.lsood_error().decode().startswith(expected)
    assert opened(library, tmp_path / "none")[::2] == (2, library.lsood_error().decode())
    assert (monitor.value, library.lsood_state_name(9), library.lsood_provider(None)) == (None, b"", b"")
    library.lsood_close(None)


def test_no_exception_leaves_a_call_without_memory(cpp_build: Path, tmp_path: Path) -> None:
    command = [cpp_build / "c_interface_test", write_toy_bundle(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_message_of_a_call_is_that_of_its_thread(library: ctypes.CDLL) -> None:
    assert library.lsood_self_test(None) == 1
    before = library.lsood_error()
    with ThreadPoolExecutor(1) as other:
        assert other.submit(library.lsood_error).result() == b""
        assert other.submit(library.lsood_assess, None, None, 0, None).result() == 1
        assert other.submit(library.lsood_error).result().startswith(b"expected a monitor, a frame")
    assert library.lsood_error() == before


def test_long_message_is_cut_between_two_characters(library: ctypes.CDLL) -> None:
    for indent in range(4):
        code, _, error = opened(library, Path("a" * indent + "\u20ac" * 1000))
        assert (code, error[:37]) == (2, "expected a bundle folder, found none ")
        assert 1996 <= len(error.encode()) < 2000
        assert error.endswith("\u20ac")
