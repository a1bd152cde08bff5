# SPDX-License-Identifier: Apache-2.0
"""The C++ monitor gives the verdicts of the Python runtime: every state, word and number, scores to the last bit."""

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.data.synthetic import SyntheticRoads
from lsood_runtime import OoDMonitor, ProviderError, TileCheck, read_manifest
from tests.conftest import FRAME_SIZE
from tests.cpp.playing import assert_same_verdicts, played, same, verdict_of
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import (
    HEIGHT,
    WIDTH,
    random_frames,
    seal,
    toy_manifest,
    write_noise_bundle,
    write_toy_bundle,
)
from tests.lsood_runtime.parts_bundle import (
    BROKEN,
    features_graph,
    frame_breaking,
    parts_graph,
    parts_manifest,
    write_parts_bundle,
)
from tests.paths import FROZEN_BUNDLE, FROZEN_FUSED_BUNDLE


@pytest.fixture(scope="module")
def program(cpp_build: Path) -> Path:
    return cpp_build / "assess_play"


def scenes(count: int, seed: int) -> NDArray[np.uint8]:
    source = SyntheticRoads(count, *FRAME_SIZE, seed=seed)
    return np.stack([source[i][0] for i in range(count)])


def faulty_scenes(seed: int) -> NDArray[np.uint8]:
    """Scenes of which a part, or all, is black, bright or of one colour."""
    frames, (height, width) = scenes(12, seed).copy(), FRAME_SIZE
    for i, frame in enumerate(frames[:10]):
        colour = ([0, 0, 0], [255, 255, 255], [90, 120, 30])[i % 3]
        frame[: height // 2 if i & 1 else height, : width // 3 if i & 2 else width] = colour
    frames[10] = frames[10] // 8
    return frames


@pytest.mark.parametrize(
    "answers",
    [{}, {"tiles": True, "with_map": True, "confidence": True}, {"tiles": True, "with_map": True, "cause": False}],
    ids=["quality and cause", "all", "all but the cause"],
)
def test_answers_of_the_toy_bundle_are_the_same(program: Path, tmp_path: Path, answers: dict[str, bool]) -> None:
    bundle = write_answers_bundle(tmp_path, **answers)
    levels = [frame_of_level(level, seed) for seed, level in enumerate(np.linspace(0.02, 0.98, 25))]
    frames = np.stack([*levels, *random_frames(6, seed=4)])
    verdicts = assert_same_verdicts(program, bundle, frames)
    assert "cause" not in verdicts[0] or len({verdict["cause"] for verdict in verdicts}) == 4
    lower = assert_same_verdicts(program, bundle, frames, ["min_quality=0.35"], min_quality=0.35)
    assert {"ok", "low_quality"} <= {verdict["state"] for verdict in lower}


@pytest.mark.parametrize(
    "fewer", [None, {}, {"quality": False, "cause": False, "tiles": True}], ids=["none", "quality and cause", "tiles"]
)
def test_assessment_that_is_used_again_keeps_no_answer_of_another_bundle(
    program: Path, tmp_path: Path, fewer: dict[str, bool] | None
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    write_answers_bundle(first, tiles=True, with_map=True, confidence=True)
    if fewer is None:
        write_toy_bundle(second)
    else:
        write_answers_bundle(second, **fewer)
    frames = np.stack([frame_of_level(0.3), frame_of_level(0.6), np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
    frames.tofile(tmp_path / "frames.raw")
    command = (program.parent / "reuse_play", tmp_path / "frames.raw", HEIGHT, WIDTH, first, second)
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    found = [verdict_of(line) for line in done.stdout.splitlines()]
    assert same(found, played(program, second, frames)), found


@pytest.mark.parametrize("latent", [False, True], ids=["moments", "latent samples too"])
def test_parts_of_the_score_are_the_same_when_one_is_broken(program: Path, tmp_path: Path, latent: bool) -> None:
    bundle = write_parts_bundle(tmp_path, latent)
    frames = np.stack([frame_breaking(), *map(frame_breaking, BROKEN), frame_breaking(*BROKEN), *random_frames(9, 5)])
    verdicts = assert_same_verdicts(program, bundle, frames)
    assert sum(verdict["state"] == "invalid" for verdict in verdicts) == 4


def test_small_export_is_assessed_alike(program: Path, bundle: Path) -> None:
    frames = np.concatenate([scenes(6, seed=3), faulty_scenes(seed=4)])
    states = {verdict["state"] for verdict in assert_same_verdicts(program, bundle, frames)}
    assert {"ok", "invalid"} <= states
    assert_same_verdicts(program, bundle, frames, ["tile_check=8x16x0.5"], tile_check=TileCheck(8, 16, 0.5))
    assert_same_verdicts(program, bundle, frames, ["tile_check=none"], tile_check=None)
    assert_same_verdicts(program, bundle, frames, ["validate=0"], validate=False)


@pytest.mark.parametrize("frozen", [FROZEN_BUNDLE, FROZEN_FUSED_BUNDLE], ids=["schema 2", "schema 3"])
def test_bundles_of_older_exporters_are_assessed_alike(program: Path, frozen: Path) -> None:
    contract = read_manifest(frozen).input
    source = SyntheticRoads(3, contract.frame_height, contract.frame_width, seed=5)
    assert_same_verdicts(program, frozen, np.stack([source[i][0] for i in range(3)]))


def test_many_samples_are_sorted_as_numpy_sorts_them(program: Path, tmp_path: Path) -> None:
    bundle, samples = write_parts_bundle(tmp_path, latent=True), 64
    (bundle / "segmentation.onnx").write_bytes(features_graph(latent=True, samples=samples).SerializeToString())
    (bundle / "detector.onnx").write_bytes(parts_graph(latent=True, samples=samples).SerializeToString())
    manifest = parts_manifest(latent=True)
    manifest["masks"]["count"] = manifest["features"]["latent_samples"][0] = samples
    assert_same_verdicts(program, seal(bundle, manifest), random_frames(6, seed=6))


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
def test_noise_is_drawn_as_numpy_draws_it(program: Path, tmp_path: Path, seed: int) -> None:
    bundle = write_noise_bundle(tmp_path)
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"]
    manifest["masks"]["seed"] = seed
    assert_same_verdicts(program, seal(bundle, manifest), random_frames(5, seed=6))


@pytest.mark.parametrize("channels", ["bgr", "grey", "rgba", "bgra"])
def test_channels_are_turned_alike(program: Path, bundle: Path, channels: str) -> None:
    frames = scenes(3, seed=7)
    given = frames[..., 0] if channels == "grey" else np.concatenate([frames, frames[..., :1]], axis=-1)
    given = given if channels != "bgr" else frames
    assert_same_verdicts(program, bundle, np.ascontiguousarray(given), [f"channels={channels}"], channels=channels)


def test_fused_graph_scores_as_the_two_graphs(program: Path, export_small: Callable[..., Path]) -> None:
    fused, frames = export_small(fuse=True), scenes(4, seed=8)
    with OoDMonitor(fused, threads=1) as monitor:
        expected = monitor.score_batch(frames)
    found = [verdict["score"] for verdict in played(program, fused, frames, "fused=1")]
    assert found == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((80, 160), "grey image"),
        ((80, 160, 4), "alpha channel"),
        ((160, 80, 3), "swapped"),
        ((81, 160, 3), "160 wide and 80 high"),
    ],
)
def test_frames_of_another_form_are_invalid_with_a_remedy(
    program: Path, bundle: Path, size: tuple[int, ...], words: str
) -> None:
    frame = np.full((1, *size), 90, np.uint8)
    (verdict,) = played(program, bundle, frame)
    with OoDMonitor(bundle, threads=1) as monitor:
        wanted = monitor.assess(frame[0])
    assert (verdict["state"], verdict["score"]) == ("invalid", np.inf) == (wanted.state.value, wanted.score)
    assert words in verdict["reason"]
    assert words in wanted.reason


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [
        ("channels=yuv", "argument", "expected channels rgb or bgr"),
        ("operating_point=9%", "bundle", "expected an operating point of the bundle"),
        ("deadline_ms=0", "argument", "expected a deadline above 0 ms"),
        ("min_quality=2", "argument", "expected a min_quality above 0 and at most 1"),
        ("min_quality=0.5", "bundle", "tells the quality"),
        ("tile_check=17x8x0.25", "argument", "expected from 1 to 16 rows"),
        ("tile_check=16x16x0.25", "argument", "expected tiles of at least 8x8 pixels"),
        ("expected_sha256=beef", "argument", "expected a sha256 of 64"),
        (f"expected_sha256={'0' * 64}", "bundle", "this is another bundle"),
        ("fused=1", "bundle", "monitor.onnx"),
        ("threads=-1", "argument", "expected 0 to 1024 threads"),
        ("expected_sha256=", "argument", "expected a text behind expected_sha256="),
        ("provider=", "argument", "expected a text behind provider="),
        ("operating_point=", "argument", "expected a text behind operating_point="),
        ("channels=", "argument", "expected a text behind channels="),
        ("provider.=1", "argument", "expected an option of a monitor"),
        ("provider=cuda", "provider", "CUDAExecutionProvider cannot load"),
        (
            "provider.foo=1",
            "provider",
            "expected CPUExecutionProvider without options, of which it has none, got foo=1",
        ),
        ("self_test_seconds=1e-9", "self_test", "golden frames within 1e-09 s"),
    ],
)
def test_options_that_cannot_be_are_refused(program: Path, bundle: Path, option: str, code: str, words: str) -> None:
    (error,) = played(program, bundle, scenes(1, seed=9), option)
    assert error["error"] == code, error
    assert words in error["message"]


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(), reason="no provider here that takes no node"
)
def test_provider_that_runs_no_node_is_refused_with_what_python_says(program: Path, tmp_path: Path) -> None:
    name, toy_bundle = "AzureExecutionProvider", write_toy_bundle(tmp_path)
    with pytest.raises(ProviderError) as refused:
        OoDMonitor(toy_bundle, providers=[name])
    (error,) = played(program, toy_bundle, random_frames(1, seed=1), f"provider={name}")
    assert error["error"] == "provider", error
    assert error["message"].split(": ")[0] == str(refused.value).split(": ")[0]


def test_provider_that_runs_every_node_is_taken_where_all_are_asked_for(program: Path, tmp_path: Path) -> None:
    assert "score" in played(program, write_toy_bundle(tmp_path), random_frames(1, seed=1), "require_provider=1")[0]


def open_sizes(contents: bytes, names: Iterable[str]) -> bytes:
    """A graph whose outputs of these names have sizes that only a run tells: what pixels that are not 0 leave of a tensor."""
    model = onnx.load_from_string(contents)
    graph, make = model.graph, onnx.helper.make_node
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1]), "one_row"))
    graph.node.extend([make("Reshape", ["frame", "one_row"], ["row"]), make("Cast", ["row"], ["is_kept"], to=9)])
    for name in names:
        source, rank = "latent_samples", 3
        if name == "segmentation":
            source, rank = "whole", 4
            graph.node[-3].output[0] = source
            graph.output.remove(graph.output[0])
        for axis in range(1, rank):
            target = name if axis == rank - 1 else f"{name}_{axis}"
            graph.node.append(make("Compress", [source, "is_kept"], [target], axis=axis))
            source = target
        sizes = [None] * rank
        graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes))
    written: bytes = model.SerializeToString()
    return written


@pytest.mark.parametrize(
    ("sizes", "is_open", "words"),
    [
        ({"segmentation": [65536, 65536, 65536]}, False, "expected segmentation.onnx with the outputs segmentation"),
        ({"segmentation": [65536, 65536, 65536]}, True, "expected the tensor segmentation to have at most 536870912 "),
        ({"wide": [2**32, 2**32]}, True, "expected the tensor wide to have at most 536870912 "),
        (
            {name: [2**14, 2**15] for name in "abcd"},
            True,
            "of a frame to have at most 8589934592 bytes together, got more with d",
        ),
    ],
    ids=["the graph states others", "the graph states none", "their product overflows", "together too many"],
)
def test_sizes_that_no_graph_has_take_no_memory(
    program: Path, tmp_path: Path, sizes: dict[str, list[int]], is_open: bool, words: str
) -> None:
    features = {name: shape for name, shape in sizes.items() if name != "segmentation"}
    bundle, manifest = write_toy_bundle(tmp_path, "logits"), toy_manifest("logits")
    graph, detector = (bundle / name for name in ("segmentation.onnx", "detector.onnx"))
    if is_open:
        graph.write_bytes(open_sizes(graph.read_bytes(), sizes))
    model = onnx.load_from_string(detector.read_bytes())
    for name in features:
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", "y", "x"]))
    detector.write_bytes(model.SerializeToString())
    manifest["features"] |= features
    if "segmentation" in sizes:
        manifest["segmentation"] |= dict(zip(("num_classes", "height", "width"), sizes["segmentation"], strict=True))
    (error,) = played(program, seal(bundle, manifest), random_frames(1, seed=1))
    assert error["error"] == "bundle", error
    assert words in error["message"]
