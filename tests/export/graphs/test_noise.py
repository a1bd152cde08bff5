# SPDX-License-Identifier: Apache-2.0
"""Random operators of a graph: seeded, and let in from outside in the order of the sites."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto

from export.graphs.noise import NoiseSource, expose_noise, seed_noise
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import Sampler, build_sampler
from lsood_runtime.offline import noise_name
from tests.networks import HEIGHT, WIDTH, DropoutUNet, settled

SAMPLES = 6
PREPROCESSING = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


@pytest.fixture(scope="module")
def network() -> DropoutUNet:
    torch.manual_seed(0)  # the weights of tests.exported_graphs, whose conversions serve here as well
    return settled(DropoutUNet())


@pytest.fixture(scope="module")
def sampler(network: DropoutUNet) -> Sampler:
    """Three sites with masks of different shapes."""
    example = torch.zeros(1, 3, HEIGHT, WIDTH)
    return build_sampler(network, example, ["bottleneck"], mc_samples=SAMPLES, mode="fresh")


@pytest.fixture
def graph(sampler: Sampler) -> ModelProto:
    return segmentation_graph(MonitoredNetwork(PREPROCESSING, sampler.module, "logits"), HEIGHT, WIDTH)


@pytest.mark.parametrize("frames", [1, 3])
def test_expose_noise_of_a_fresh_graph_takes_the_noise_of_its_sites(
    network: DropoutUNet, sampler: Sampler, graph: ModelProto, frames: int
) -> None:
    before = graph.SerializeToString()
    source = NoiseSource([site.noise_shape for site in sampler.sites], SAMPLES)
    exposed = expose_noise(graph, source)
    assert graph.SerializeToString() == before
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (frames, HEIGHT, WIDTH, 3), np.uint8)
    noise = source.draw(frames)
    feed = {"frame": frame} | {noise_name(i): values for i, values in enumerate(noise)}
    _, latent_samples = ort.InferenceSession(exposed.SerializeToString()).run(None, feed)
    expected = sample_passes(network, PREPROCESSING(torch.from_numpy(frame)), sampler, [*map(torch.from_numpy, noise)])
    np.testing.assert_allclose(latent_samples, expected.numpy(), rtol=0, atol=1e-5)


def test_expose_noise_of_another_number_of_sites_is_refused(graph: ModelProto) -> None:
    with pytest.raises(ValueError, match="2 sites, the graph has 3"):
        expose_noise(graph, NoiseSource([(1,), (1,)], SAMPLES))


def test_seed_noise_in_a_new_session_repeats_the_draws(graph: ModelProto) -> None:
    frame = {"frame": np.full((1, HEIGHT, WIDTH, 3), 90, np.uint8)}
    sequences = []
    for seed in (1, 1, 2):
        seed_noise(graph, seed)
        session = ort.InferenceSession(graph.SerializeToString())
        sequences.append(np.stack([session.run(["latent_samples"], frame)[0] for _ in range(3)]))
    np.testing.assert_array_equal(sequences[0], sequences[1])
    assert not np.isclose(sequences[0], sequences[2]).all()
    assert not np.isclose(sequences[0][0], sequences[0][1]).all()
