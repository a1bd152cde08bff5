# SPDX-License-Identifier: Apache-2.0
"""The camera stream of the C++ library: the table that Python plays as well, and random drives on which both agree."""

import logging
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsood_runtime import Cusum, Hysteresis, KOfN, MinimumDuration, Stream, parse_policy, read_manifest
from lsood_runtime._bundle.answers_records import QualityRecord
from tests.cases.cpp_stream import CppStream
from tests.cases.python_stream import GivenVerdicts, case_manifest, play
from tests.cases.random_drives import POLICIES, random_drive
from tests.cases.random_policies import POLICIES as OF_RANDOM_NUMBERS
from tests.cases.stream_events import TENTH_NS, Case, Event, case_of
from tests.cases.stream_results import differing, expected_fields
from tests.cases.test_stream_cases import CASES
from tests.cpp.building import CPP, require_tools
from tests.lsood_runtime.conftest import write_toy_bundle
from tests.paths import ROOT

ONE_PROGRAM = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def cpp(cpp_build: Path) -> Iterator[CppStream]:
    """The program, one for all cases."""
    with CppStream(cpp_build / "stream_play") as playing:
        yield playing


def test_cpp_stream_gives_what_the_table_expects(cpp: CppStream) -> None:
    wrong = []
    for values in CASES:
        case = case_of(values)
        for i, (expected, found) in enumerate(zip(case.expected, cpp.play(case), strict=True)):
            fields = expected_fields(expected)
            if different := differing(fields, {name: found.get(name) for name in fields}):
                wrong.append((case.name, i, different))
    assert not wrong, wrong[:5]


def test_cpp_stream_takes_no_memory_serves_threads_and_throws_nothing(cpp_build: Path) -> None:
    done = subprocess.run([cpp_build / "stream_test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def compiled_page(page: str, cpp_build: Path, folder: Path) -> Path:
    """The program of a page's C++ code, against the library alone."""
    (code,) = re.findall(r"```cpp\n(.*?)```", page, re.DOTALL)
    source, program = folder / "page.cpp", folder / "page"
    source.write_text(code, encoding="utf-8")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{CPP / 'include'}", "-pthread"]
    subprocess.run(["c++", *flags, source, cpp_build / "liblsood.a", "-o", program], check=True)
    return program


def test_cpp_code_of_the_page_on_alarms_raises_one(cpp_build: Path, tmp_path: Path) -> None:
    """Against the library alone: a stream needs nothing of ONNX Runtime."""
    program = compiled_page((ROOT / "docs" / "how-to" / "alarms.md").read_text(encoding="utf-8"), cpp_build, tmp_path)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout == "ALARM of front at frame 2: out_of_distribution\n"


def test_cpp_code_of_the_page_on_deepstream_raises_the_alarms_of_the_python_runtime(
    cpp_build: Path, tmp_path: Path
) -> None:
    """Against the library alone, by scores around the threshold; one that is no number is invalid."""
    (tmp_path / "monitor").mkdir()
    bundle = write_toy_bundle(tmp_path / "monitor")
    manifest = read_manifest(bundle)
    scores = manifest.calibration.scores
    monitor = GivenVerdicts(manifest, None)
    stream = Stream(monitor, parse_policy("2of3"), frozen_after_s=None)
    lines, expected, draw = [], [], random.Random(21)
    for i in range(80):
        score, camera, stamp_ns = manifest.threshold.value + draw.gauss(0, 0.3), ("front", "rear")[i % 2], i * TENTH_NS
        state = "out_of_distribution" if score > manifest.threshold.value else "ok"
        monitor.event = Event(state=state, p=(1 + sum(each >= score for each in scores)) / (1 + len(scores)))
        result = stream.assess(None, stamp_ns=stamp_ns, camera=camera)
        lines.append(f"{camera} {stamp_ns} {score!r}")
        expected += [f"ALARM of {camera} at frame {result.index}"] if result.onset else []
    page = (ROOT / "docs" / "how-to" / "deepstream.md").read_text(encoding="utf-8")
    program = compiled_page(page, cpp_build, tmp_path)
    command = [str(program), str(bundle / "manifest.json")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected
    assert len(expected) > 5
    bad = "left 0 nan\nleft 1 inf\n"
    done = subprocess.run(command, input=bad, capture_output=True, text=True, check=True)
    assert done.stdout == "ALARM of left at frame 1\n"


@settings(max_examples=25, deadline=None, suppress_health_check=ONE_PROGRAM)
@given(seed=st.integers(0, 2**64 - 1))
def test_cpp_stream_agrees_with_the_python_runtime(cpp: CppStream, seed: int) -> None:
    agree(cpp, random_drive(random.Random(seed)))


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=ONE_PROGRAM)
@given(seed=st.integers(0, 2**64 - 1))
def test_cpp_stream_agrees_with_the_python_runtime_on_many_drives(cpp: CppStream, seed: int) -> None:
    agree(cpp, random_drive(random.Random(seed)))


def agree(cpp: CppStream, case: Case) -> None:
    """Every field of every result is the same; sentences that name tiles differ in their words."""
    logging.getLogger("lsood_runtime").setLevel(logging.ERROR)
    by_python, by_cpp = list(play(case)), cpp.play(case)
    for event, expected, found in zip(case.events, by_python, by_cpp, strict=True):
        if "live picture" in expected.get("reason", ""):
            assert "live picture" in found["reason"]
            found = found | {"reason": expected["reason"]}
        assert not differing(expected, found), event


@settings(max_examples=60, deadline=None, suppress_health_check=ONE_PROGRAM)
@given(
    text=st.sampled_from(POLICIES)
    | st.lists(
        st.sampled_from(
            [
                "hysteresis",
                "duration",
                "cusum",
                "of",
                "h@",
                ":",
                "/h",
                "0.05",
                "1e-3",
                "2e+1",
                "2.",
                ".5",
                "30",
                "1E400",
            ]
        ),
        min_size=1,
        max_size=6,
    ).map("".join),
    frames=st.integers(1, 500),
    worth=st.sampled_from([1.0, 2.5, 40.0]),
    rate=st.sampled_from([0.5, 10.0, 30.0]),
)
def test_cpp_policies_are_those_of_the_python_runtime(
    cpp: CppStream, text: str, frames: int, worth: float, rate: float
) -> None:
    (words,) = cpp.answers([f"policy {text} {frames} {frames / worth!r} {rate}"])
    calibration = case_manifest(frames, frames / worth).calibration
    try:
        policy = parse_policy(text)
        policy.start(calibration)
    except ValueError:
        assert words[0] == "error", (text, words)
        return
    assert words[0] == str(policy)
    assert int(words[1]) == policy.delay_frames(calibration, rate)
    assert float(words[2]) == pytest.approx(policy.window_s(calibration, rate), rel=1e-12)


@settings(max_examples=100, deadline=None, suppress_health_check=ONE_PROGRAM)
@given(policy=OF_RANDOM_NUMBERS)
def test_text_of_a_policy_is_read_as_the_same_policy_by_both_languages(
    cpp: CppStream, policy: KOfN | Hysteresis | MinimumDuration | Cusum
) -> None:
    ((text, *numbers),) = cpp.answers([f"text {policy}"])
    assert text == str(policy)
    assert parse_policy(text) == policy
    assert [float.fromhex(number) if "x" in number else int(number) for number in numbers] == list(astuple(policy))


@settings(max_examples=50, deadline=None, suppress_health_check=ONE_PROGRAM)
@given(clean_low=st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted), share=st.floats(0, 1))
def test_smallest_quality_of_a_rate_is_that_of_the_python_runtime(
    cpp: CppStream, clean_low: list[float], share: float
) -> None:
    count = len(clean_low) + 1
    record = QualityRecord("miou", 0.9, 0.9, "fog", 0.8, 0.2, 0.6, 0.05, 0.1, 0.8, 0.9, tuple(clean_low))
    for rate in (share, round(share * count) / count, 0.0, 1.0):
        ((found,),) = cpp.answers([f"smallest {rate!r} {' '.join(map(repr, clean_low))}"])
        expected = record.min_quality(rate)
        assert (None if found == "none" else float.fromhex(found)) == expected
        if expected is not None and rate < 1:
            assert record.false_alarm_rate(expected) <= rate + 1e-9


@pytest.mark.parametrize(
    "text", ["३of5", "3of५", "duration:५.5", "hysteresis:0.0१:0.2", "cusum:१h@30", "cusum:1e308h@1e308"]
)
def test_neither_language_takes_digits_of_other_scripts_or_what_cannot_be_counted(cpp: CppStream, text: str) -> None:
    assert cpp.answers([f"policy {text} 99 50.0 30.0"])[0][0] == "error"
    with pytest.raises(ValueError, match="expected "):
        parse_policy(text)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_cpp_stream_is_clean_under_sanitizers(sanitizers: str, tmp_path: Path) -> None:
    """Compiled by itself: it needs nothing of ONNX Runtime."""
    require_tools()
    sources = sorted((CPP / "src" / "stream").glob("*.cpp"))
    flags = ["-std=c++17", "-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-pthread"]
    folders = [f"-I{CPP / folder}" for folder in ("include", "src", "tests")]
    for name in ("stream_test", "stream_play"):
        program = CPP / "tests" / f"{name}.cpp"
        subprocess.run(["c++", *flags, *folders, *sources, program, "-o", tmp_path / name], check=True)
    done = subprocess.run([tmp_path / "stream_test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with CppStream(tmp_path / "stream_play") as playing:
        for values in CASES:
            playing.play(case_of(values))
