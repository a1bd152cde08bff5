# SPDX-License-Identifier: Apache-2.0
"""The features that go with a verdict are those that the graphs gave, on either way of a frame."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lsood_runtime import OoDMonitor, State
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.kept_features import join_features, kept_names
from lsood_runtime._inference.loading import LoadOptions, load_graphs
from tests.lsood_runtime.conftest import MASKS, random_frames
from tests.lsood_runtime.parts_bundle import write_parts_bundle


def features_by_hand(frame: NDArray[np.uint8], latent: bool) -> NDArray[np.float64]:
    """Mean of each channel, then the entropies of the toy bundle, which are relative to the largest latent sample."""
    pixels = frame.reshape(-1, 3) / 255
    samples = MASKS.astype(np.float64) @ pixels
    entropy = np.log(samples).mean(axis=0) - np.log(samples.max())
    return np.concatenate([pixels.mean(axis=0), entropy]) if latent else pixels.mean(axis=0)


@pytest.mark.parametrize("latent", [False, True])
def test_features_of_a_verdict_are_those_of_the_frame(tmp_path: Path, latent: bool) -> None:
    frames = random_frames(3, seed=4)
    expected = [features_by_hand(frame, latent) for frame in frames]
    with OoDMonitor(write_parts_bundle(tmp_path, latent), keep_features=True) as monitor:
        single, batch = [monitor.assess(frame) for frame in frames], monitor.assess_batch(frames)
        copied = pickle.loads(pickle.dumps(monitor)).assess(frames[0])
        refused = monitor.assess(frames[0][:-1])
    for verdicts in (single, batch, [copied]):
        for verdict, numbers in zip(verdicts, expected, strict=False):
            assert verdict.features is not None
            assert verdict.features.dtype == np.float32
            assert not verdict.features.flags.writeable
            np.testing.assert_allclose(verdict.features, numbers, atol=1e-5)
    assert (refused.state, refused.features) == (State.INVALID, None)
    assert "features" not in single[0].asdict()


def test_features_are_not_kept_unless_asked_for(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        assert monitor.assess(random_frames(1, seed=1)[0]).features is None


@pytest.mark.parametrize("latent", [False, True])
def test_device_pass_keeps_the_features_of_the_host_pass(tmp_path: Path, latent: bool) -> None:
    options = LoadOptions(providers=[("CPUExecutionProvider", {})], keep_features=True)
    host: Any = load_graphs(open_bundle(write_parts_bundle(tmp_path, latent)), options).frame_pass
    device = DevicePass(host._network, host._detector, "cpu", 0, keep_features=True)
    for batch in (1, 3):
        frames = random_frames(batch, seed=batch)
        np.testing.assert_array_equal(device.run(frames, {}).features, host.run(frames, {}).features)


def test_samples_and_maps_are_no_features_of_a_frame() -> None:
    names = [
        "picture",
        "latent_samples",
        "tiles/layer1/4x8",
        "picture_tiles/4x8",
        "moments/tiles",
        "feature_map/a/2x2",
        "logit_map/9x9",
        "entropy",
    ]
    assert kept_names(names) == ["picture", "moments/tiles", "entropy"]
    assert join_features([], 3).shape == (3, 0)
