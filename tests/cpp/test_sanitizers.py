# SPDX-License-Identifier: Apache-2.0
"""The C++ library under the sanitizers of addresses and undefined behaviour, and a fuzz target over what a bundle holds."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import made_once
from tests.cpp import test_bundles, test_c_interface, test_monitor, test_small_parts
from tests.cpp.building import build_library, require_tools
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import write_noise_bundle, write_toy_bundle
from tests.lsood_runtime.parts_bundle import write_parts_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]  # the first one builds the library, for minutes

CHANGED_INPUTS = 200_000
TEXTS = {
    "p": ["3of5", "hysteresis:0.01:0.2", "duration:1.5e-1", "cusum:1h@30", "1/h@30"],
    "o": ["provider=cuda", "provider.device_id=0", "threads=2", "tile_check=4x8x0.25", "deadline_ms=1e2", "fused=1"],
}


@pytest.fixture(scope="module")
def sanitized(shared_folder: Path) -> Path:
    """The build folder of the test programs, and of the fuzz target, with sanitizers."""
    require_tools()
    options = (
        "-DLSOOD_SANITIZE=address,undefined",
        "-DLSOOD_WERROR=OFF",
        "-DCMAKE_BUILD_TYPE=",
        "-DCMAKE_CXX_FLAGS=-O1",
    )
    return made_once(
        shared_folder / "cpp" / "sanitized",
        lambda build: build_library(build, *options, "-DLSOOD_BUILD_TESTS=ON", "-DLSOOD_FUZZ=ON"),
    )


@pytest.mark.parametrize(
    "test",
    [
        test_small_parts.test_parts_keep_their_promises,
        test_small_parts.test_digests_are_those_of_hashlib,
        test_small_parts.test_numbers_without_a_finite_value_are_no_json,
    ],
    ids=lambda test: test.__name__,
)
def test_parts_are_clean(sanitized: Path, test: Callable[[Path], None]) -> None:
    test(sanitized)


@pytest.mark.parametrize(
    "test",
    [
        test_bundles.test_hostile_graphs_are_refused_as_python_refuses_them,
        test_c_interface.test_no_exception_leaves_a_call_without_memory,
    ],
    ids=lambda test: test.__name__,
)
def test_readers_are_clean(sanitized: Path, tmp_path: Path, test: Callable[[Path, Path], None]) -> None:
    test(sanitized, tmp_path)


@pytest.mark.parametrize(
    "test",
    [
        test_bundles.test_damaged_bundles_are_refused_with_the_words_of_the_table,
        test_bundles.test_damaged_golden_frames_are_refused,
    ],
    ids=lambda test: test.__name__,
)
def test_damaged_bundles_are_read_cleanly(
    sanitized: Path, tmp_path: Path, test: Callable[[Path, Path, Path], None]
) -> None:
    (tmp_path / "sound").mkdir()
    test(sanitized, write_answers_bundle(tmp_path / "sound", tiles=True, with_map=True), tmp_path)


def test_monitor_is_clean(sanitized: Path, tmp_path: Path, bundle: Path) -> None:
    """On bundles with every answer and with none, one of a real export, of noise, of another size, and reused verdicts."""
    program = sanitized / "assess_play"

    def folder(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    told = {"tiles": True, "with_map": True, "confidence": True}
    test_monitor.test_answers_of_the_toy_bundle_are_the_same(program, folder("answers"), told)
    test_monitor.test_parts_of_the_score_are_the_same_when_one_is_broken(program, folder("parts"), latent=True)
    test_monitor.test_small_export_is_assessed_alike(program, bundle)
    test_monitor.test_many_samples_are_sorted_as_numpy_sorts_them(program, folder("samples"))
    test_monitor.test_noise_is_drawn_as_numpy_draws_it(program, folder("noise"), 2**64 - 1)
    test_monitor.test_channels_are_turned_alike(program, bundle, "bgra")
    test_monitor.test_frames_of_another_form_are_invalid_with_a_remedy(program, bundle, (80, 160, 4), "alpha channel")
    test_monitor.test_assessment_that_is_used_again_keeps_no_answer_of_another_bundle(program, folder("again"), None)
    test_monitor.test_options_that_cannot_be_are_refused(
        program, bundle, "self_test_seconds=1e-9", "self_test", "golden frames within 1e-09 s"
    )


def test_changed_inputs_end_in_no_fault(sanitized: Path, tmp_path: Path, bundle: Path) -> None:
    bundles = [tmp_path / name for name in ("toy", "answers", "noise", "parts")]
    for each in bundles:
        each.mkdir()
    write_toy_bundle(bundles[0], "logits")
    write_answers_bundle(bundles[1], tiles=True, with_map=True, confidence=True)
    write_noise_bundle(bundles[2])
    write_parts_bundle(bundles[3], latent=True)
    inputs = [kind.encode() + text.encode() for kind, texts in TEXTS.items() for text in texts]
    for each in bundles:
        manifest, golden = ((each / name).read_bytes() for name in ("manifest.json", "golden.npz"))
        inputs += [b"m" + manifest, b"a" + f"{len(manifest):08x}".encode() + manifest + golden]
        inputs += [b"g" + (each / name).read_bytes() for name in ("segmentation.onnx", "detector.onnx")]
    inputs += [b"m" + (bundle / "manifest.json").read_bytes()]
    inputs += [b"n" + array for array in arrays_of(bundles[1] / "golden.npz")]
    files = []
    for i, contents in enumerate(inputs):
        files.append(tmp_path / f"input-{i}")
        files[-1].write_bytes(contents)
    command = [str(sanitized / "bundle_fuzz"), "0", str(CHANGED_INPUTS), *map(str, files)]
    kept = os.environ | {"ASAN_OPTIONS": "abort_on_error=1", "UBSAN_OPTIONS": "abort_on_error=1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=kept)
    assert done.returncode == 0, f"{done.stderr[-3000:]}: the input is {tmp_path / 'crash'}"


def arrays_of(archive: Path) -> list[bytes]:
    """The files of an archive of arrays."""
    with ZipFile(archive) as opened:
        return [opened.read(name) for name in opened.namelist()]
