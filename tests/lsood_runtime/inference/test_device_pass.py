# SPDX-License-Identifier: Apache-2.0
"""The way of a frame over device buffers, taken on the CPU, gives what the way over the host gives."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx.helper import make_tensor_value_info

from lsood_runtime import FrameError, OoDMonitor, ProviderError
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._inference.arrays import DeviceFrame
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.loading import LoadOptions, load_graphs
from tests.lsood_runtime.conftest import random_frames, seal
from tests.lsood_runtime.parts_bundle import (
    MOMENTS,
    PARTS,
    features_graph,
    frame_breaking,
    parts_by_hand,
    parts_graph,
    parts_manifest,
    write_parts_bundle,
)

CPU = "CPUExecutionProvider"


def device_pass(bundle: Path, **options: Any) -> tuple[DevicePass, Any]:
    """The way that CUDA takes, over buffers in host memory."""
    host: Any = load_graphs(open_bundle(bundle), LoadOptions(providers=[(CPU, {})])).frame_pass
    return DevicePass(host._network, host._detector, "cpu", 0, **options), host


@pytest.mark.parametrize("kind", ["classes", "logits", "none"])
def test_device_pass_any_batch_gives_the_bits_of_the_host_pass(make_bundle: Any, kind: str) -> None:
    device, host = device_pass(make_bundle(kind))
    for batch in (1, 3, 1, 2):
        frames = random_frames(batch, seed=batch)
        got, expected = device.run(frames, {}), host.run(frames, {})
        np.testing.assert_array_equal(got.scores, expected.scores)
        assert (got.segmentation is None) == (kind == "none")
        if got.segmentation is not None:
            np.testing.assert_array_equal(got.segmentation, expected.segmentation)
    first = device.run(random_frames(1, 1), {})
    kept = first.scores.copy(), None if first.segmentation is None else first.segmentation.copy()
    device.run(random_frames(1, 2), {})
    np.testing.assert_array_equal(first.scores, kept[0], "a result is the caller's, not a view of the buffers")
    if first.segmentation is not None:
        np.testing.assert_array_equal(first.segmentation, kept[1])


@pytest.mark.parametrize("latent", [False, True])
def test_device_pass_of_features_gives_the_parts_of_the_host_pass(tmp_path: Path, latent: bool) -> None:
    device, host = device_pass(write_parts_bundle(tmp_path, latent))
    kept = []
    for batch in (1, 3, 1, 2):
        frames = np.concatenate([random_frames(batch, seed=batch)[1:], frame_breaking("root")[None]])
        got, expected = device.run(frames, {}), host.run(frames, {})
        assert got.parts is not None
        assert got.parts.shape == (batch, 3 + latent)
        np.testing.assert_array_equal(got.parts, expected.parts)
        np.testing.assert_array_equal(got.scores, expected.scores)
        assert np.isnan(got.parts[-1, -1]), "a part that is not a number comes through"
        kept.append((got.parts, got.parts.copy()))
    for parts, copy in kept:
        np.testing.assert_array_equal(parts, copy, "a result is the caller's, not a view of the buffers")


def test_device_pass_of_features_copies_no_feature_to_the_host(tmp_path: Path) -> None:
    device, _ = device_pass(write_parts_bundle(tmp_path, latent=True))
    device.run(random_frames(1, 0), {})
    buffers = device._buffers[1]
    bound = {name: buffers.values[name].data_ptr() for name in ("latent_samples", MOMENTS)}
    outputs = {value.data_ptr() for value in buffers.network.get_outputs()}
    assert set(bound.values()) <= outputs, "the network writes where the detector reads"
    with pytest.raises(KeyError):
        buffers.values["entropy"]


def test_pass_noise_that_no_node_reads_is_taken(tmp_path: Path) -> None:
    """As where the detector reads no latent samples, so that the sampled branch was cut off."""
    bundle, noise = write_parts_bundle(tmp_path), np.zeros((2, 4, 7), np.float32)
    model = features_graph()
    model.graph.input.append(make_tensor_value_info("noise_0", TensorProto.FLOAT, ["batch", 4, 7]))
    (bundle / "segmentation.onnx").write_bytes(model.SerializeToString())
    frames = random_frames(2, seed=2)
    scores = [sum(parts_by_hand(frame).values()) for frame in frames]
    np.savez(bundle / "golden.npz", frames=frames, scores=scores, noise_0=noise)
    manifest = parts_manifest()
    manifest["masks"] |= {"mode": "input", "sha256": None, "noise": [[7]]}
    device, host = device_pass(seal(bundle, manifest))
    got, expected = (frame_pass.run(frames, {"noise_0": noise}) for frame_pass in (device, host))
    np.testing.assert_allclose(expected.scores, scores, atol=1e-5)
    np.testing.assert_array_equal(got.parts, expected.parts)
    with OoDMonitor(bundle) as monitor:
        assert monitor.assess(frames[0], [noise[0]]).parts.keys() == set(PARTS)


def test_device_pass_graph_with_another_number_of_parts_is_refused(tmp_path: Path) -> None:
    bundle = write_parts_bundle(tmp_path)
    manifest = parts_manifest()
    del manifest["detector"]["parts"][1]
    (bundle / "detector.onnx").write_bytes(parts_graph(open_size=True).SerializeToString())
    host: Any = load_graphs(
        open_bundle(seal(bundle, manifest)), LoadOptions(providers=[(CPU, {})], self_test=False)
    ).frame_pass
    for frame_pass in (host, DevicePass(host._network, host._detector, "cpu", 0)):
        with pytest.raises(ProviderError, match=r"detector\.onnx"):
            frame_pass.run(random_frames(1, 0), {})


def test_device_pass_in_several_threads_gives_the_same_scores(toy_bundle: Path) -> None:
    device, host = device_pass(toy_bundle)
    frames = random_frames(40, seed=0)
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lambda frame: device.run(frame[None], {}).scores[0], frames))
    assert scores == [host.run(frame[None], {}).scores[0] for frame in frames]


def frame_on(device: str, frames: Any, device_id: int = 0) -> DeviceFrame:
    return DeviceFrame(frames.shape, device, device_id, frames.ctypes.data, frames)


def test_device_pass_frame_on_the_device_is_not_copied(toy_bundle: Path) -> None:
    device, host = device_pass(toy_bundle)
    frames = random_frames(2, seed=3)
    for frame in frames:
        got = device.run(frame_on("cpu", frame[None]), {}).scores
        np.testing.assert_array_equal(got, host.run(frame[None], {}).scores)
        np.testing.assert_array_equal(device.run(frames[:1], {}).scores, host.run(frames[:1], {}).scores)


def test_device_pass_frame_on_another_device_is_refused(toy_bundle: Path) -> None:
    device, host = device_pass(toy_bundle)
    elsewhere = frame_on("cuda", random_frames(1, 0), 1)
    with pytest.raises(FrameError, match=r"host memory or on cpu:0, got one on cuda:1"):
        device.run(elsewhere, {})
    with pytest.raises(FrameError, match=r"expected a frame in host memory, since CPUExecutionProvider runs"):
        host.run(elsewhere, {})
    captured, _ = device_pass(toy_bundle, fixed_addresses=True)
    with pytest.raises(FrameError, match="CUDA graphs replay the address of the first frame"):
        captured.run(frame_on("cpu", random_frames(1, 0)), {})


def test_device_pass_keeps_buffers_of_the_last_two_sizes_of_batch(toy_bundle: Path) -> None:
    device, _ = device_pass(toy_bundle)
    for batch in (1, 2, 1, 3, 1, 4):
        device.run(random_frames(batch, seed=batch), {})
    assert list(device._buffers) == [1, 4]
