# SPDX-License-Identifier: Apache-2.0
"""Taps on tokens, on maps with their channels last and on vectors: the graph, PyTorch's passes and TorchScript agree."""

from typing import Any, get_args

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.bundle.feature_parity import FeatureReference
from export.detectors.fitted import OnePart, PartOptions, fit_part
from export.errors import TapError
from export.features.key import FeatureKey
from export.graphs.noise import NoiseSource
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.graphs.torchscript import TorchMonitor, trace_monitor
from export.layers.dropblock import DropBlock2D
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from export.sampling.taps import list_layers
from tests.networks import settled

ADDED: dict[str, Any] = {"drop_prob": 0.6, "block_size": 2, "force": True}  # small grids
SAMPLES, CLASSES = 4, 5


class TokenNetwork(nn.Module):
    """A plain vision transformer's shape: patches, other tokens in front, a block, a linear head; no layer drops anything."""

    def __init__(self, patch: int = 8, others: int = 1, width: int = 12, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.others = nn.Parameter(torch.randn(1, others, width))
        self.norm, self.mix, self.inner = nn.LayerNorm(width), nn.Linear(width, width), inner or nn.Identity()
        self.last = nn.Linear(width, width + 1)
        self.head = nn.Conv2d(width + 1, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x)
        tokens = torch.cat([self.others.expand(x.shape[0], -1, -1), patches.flatten(2).mT], dim=1)
        tokens = self.last(torch.relu(self.inner(tokens + self.mix(self.norm(tokens)))))
        grid = tokens[:, self.others.shape[1] :].mT.unflatten(2, patches.shape[2:])
        return F.interpolate(self.head(grid), size=x.shape[-2:], mode="bilinear")


class ChannelsLastNetwork(nn.Module):
    """Swin's shape: a map with its channels last between patches and head."""

    def __init__(self, width: int = 12, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.patches, self.mix = (
            nn.Conv2d(3, width, 4, stride=4),
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width)),
        )
        self.inner, self.last = inner or nn.Identity(), nn.Linear(width, width + 2)
        self.head = nn.Conv2d(width + 2, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.inner(self.mix(self.patches(x).permute(0, 2, 3, 1)))
        logits = self.head(self.last(torch.relu(grid)).permute(0, 3, 1, 2))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear")


class VectorNetwork(nn.Module):
    """A classifier whose last vector is a tap."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.vector, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 10), nn.Linear(10, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.vector(self.features(x).mean(dim=(2, 3)))))
        return logits[..., None, None]


class CellDropBlock(DropBlock2D):
    """A DropBlock of the network's own on cells with their channels last; it does nothing in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def agree(network: nn.Module, taps: list[str], mode: Mode, size: tuple[int, int], **options: Any) -> list[str]:
    """Compare one pass with S passes for batches of one and three; returns the values of the findings."""
    example = torch.zeros(1, 3, *size)
    sampler = build_sampler(network, example, taps, mc_samples=SAMPLES, mode=mode, **options)
    for frames in (1, 3):
        x = torch.randn(frames, 3, *size)
        noise = [torch.rand(frames, SAMPLES, *site.noise_shape) for site in sampler.sites] if mode == "input" else []
        with torch.no_grad():
            output, latent_samples = sampler.module(x, *noise)
            torch.testing.assert_close(output, network(x), rtol=0, atol=1e-5)
        assert latent_samples.shape == (frames, SAMPLES, sampler.channels)
        assert latent_samples.std(dim=1).max() > 0
        passes = sample_passes(network, x, sampler, noise)
        torch.testing.assert_close(latent_samples, passes, rtol=0, atol=1e-5)
    return [finding.value for finding in sampler.findings]


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from([4, 8]),
    st.sampled_from([0, 1, 2, 5]),
    st.integers(3, 6),
    st.integers(3, 6),
    st.sampled_from(["last", "mix", "inner"]),
    st.sampled_from(["fixed", "input"]),
    st.integers(0, 2**32 - 1),
)
def test_sampler_of_a_token_tap_equals_one_pass_for_each_mask(
    patch: int, others: int, rows: int, columns: int, tap: str, mode: Mode, seed: int
) -> None:
    torch.manual_seed(seed)
    network = settled(TokenNetwork(patch, others))
    found = agree(network, [tap], mode, (rows * patch, columns * patch), **ADDED)
    behind = f" behind {others} other{'s' if others > 1 else ''}" if others else ""
    assert found == [f"squares of a grid of {rows} x {columns} tokens{behind} at {tap}"]


LAYOUTS: list[tuple[nn.Module, list[str], dict[str, Any]]] = [
    (TokenNetwork(inner=CellDropBlock(0.9, 2)), ["last"], {}),
    (TokenNetwork(inner=CellDropBlock(0.9, 2)), ["inner"], {}),
    (TokenNetwork(inner=CellDropBlock(0.9, 2)), ["last"], {"drop_prob": 0.4, "block_size": 1}),
    (TokenNetwork(inner=nn.Dropout(0.4)), ["last"], ADDED),
    (TokenNetwork(inner=nn.Dropout(0.4)), ["inner"], ADDED | {"only_tap": True}),
    (TokenNetwork(), ["mix", "patches"], ADDED),
    (ChannelsLastNetwork(), ["last"], ADDED),
    (ChannelsLastNetwork(), ["patches", "last"], ADDED),
    (ChannelsLastNetwork(inner=CellDropBlock(0.9, 2)), ["last"], {}),
    (ChannelsLastNetwork(inner=CellDropBlock(0.9, 2)), ["inner"], {}),
    (ChannelsLastNetwork(inner=nn.Dropout(0.4)), ["inner"], {}),
    (ChannelsLastNetwork(inner=nn.Dropout2d(0.4)), ["inner"], {}),
    (ChannelsLastNetwork(inner=nn.Dropout2d(0.4)), ["last"], {}),
    (VectorNetwork(), ["vector"], ADDED),
    (VectorNetwork(), ["features", "vector"], ADDED),
]
INPUT_LAYOUTS = (1, 5, 9, 11, 14)
"""Those whose noise as an input the fast tests try: each layout, masks of layers of its own and added ones."""


@pytest.mark.parametrize(
    ("network", "taps", "options", "mode"),
    [(*layout, "fixed") for layout in LAYOUTS]
    + [
        pytest.param(*layout, "input", marks=() if i in INPUT_LAYOUTS else pytest.mark.slow)
        for i, layout in enumerate(LAYOUTS)
    ],
)
def test_sampler_of_any_layout_equals_one_pass_for_each_mask(
    network: nn.Module, taps: list[str], options: dict[str, Any], mode: Mode
) -> None:
    torch.manual_seed(0)
    agree(settled(network), taps, mode, (24, 32), **options)


@settings(max_examples=5, deadline=None)
@given(st.integers(3, 7), st.integers(3, 7), st.sampled_from([3, 8, 16]), st.integers(0, 2**32 - 1))
def test_sampler_of_a_tap_with_channels_last_has_as_many_latents_as_channels(
    rows: int, columns: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    network = settled(ChannelsLastNetwork(width))
    found = agree(network, ["last"], "fixed", (rows * 4, columns * 4), **ADDED)
    assert found == [f"last, {rows} x {columns} cells with their {width + 2} channels last"]


@settings(max_examples=4, deadline=None)
@given(st.permutations(["patches", "mix", "last"]), st.integers(1, 3))
def test_sampler_of_layers_with_channels_last_calls_those_alone_taps_that_it_samples(
    layers: list[str], count: int
) -> None:
    taps, others = layers[:count], layers[count:]
    sampler = build_sampler(
        settled(ChannelsLastNetwork()), torch.zeros(1, 3, 24, 32), taps, mc_samples=SAMPLES, observed=others, **ADDED
    )
    told = {finding.value.partition(",")[0]: finding.subject for finding in sampler.findings}
    last = {"mix", "last"}
    assert told == {layer: "tap" for layer in taps if layer in last} | {
        layer: "layer" for layer in others if layer in last
    }


def test_sampler_of_a_vector_says_that_it_takes_dropout() -> None:
    found = agree(settled(VectorNetwork()), ["vector"], "fixed", (24, 32), **ADDED)
    assert found == ["dropout of single elements with p = 0.6 at vector"]


class Unfolded(nn.Module):
    """Tokens without any map upstream of them: pixels are cut into patches by a reshape."""

    def __init__(self, image: tuple[int, int], rows: int, columns: int, others: int = 0) -> None:
        super().__init__()
        self.image, self.rows, self.columns = image, rows, columns
        self.others = nn.Parameter(torch.randn(1, others, 6))
        self.embed, self.head = nn.Linear(3 * (image[0] // rows) * (image[1] // columns), 6), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.reshape(x.shape[0], 3, self.rows, self.image[0] // self.rows, self.columns, -1)
        patches = parts.permute(0, 2, 4, 1, 3, 5).flatten(1, 2).flatten(2)  # no map on the way
        tokens = torch.cat([self.others.expand(x.shape[0], -1, -1), self.embed(patches)], dim=1)
        logits: Tensor = self.head(tokens[:, self.others.shape[1] :])
        return logits.mT.reshape(-1, CLASSES, self.rows, self.columns)


@pytest.mark.parametrize(("rows", "columns", "others"), [(3, 4, 0), (6, 8, 0), (6, 8, 1), (3, 4, 1)])
def test_token_grid_without_a_map_upstream_is_found_by_the_stride(rows: int, columns: int, others: int) -> None:
    network = Unfolded((24, 32), rows, columns, others).eval()
    found = agree(network, ["embed"] if not others else ["head"], "fixed", (24, 32), **ADDED)
    assert f"a grid of {rows} x {columns} tokens" in found[0]


def test_token_grid_that_no_stride_gives_is_refused_and_the_printed_flag_helps() -> None:
    network = Unfolded((24, 32), 4, 4).eval()  # patches of 6 x 8 pixels
    with pytest.raises(TapError, match=r"16 tokens of embed for DropBlock, no map .* give them by --token-grid H W"):
        build_sampler(network, torch.zeros(1, 3, 24, 32), ["embed"], mc_samples=SAMPLES, **ADDED)
    found = agree(network, ["embed"], "fixed", (24, 32), token_grid=(4, 4), **ADDED)
    assert found == ["squares of a grid of 4 x 4 tokens at embed"]
    with pytest.raises(TapError, match=r"--token-grid 5 4 does not fit either"):
        build_sampler(network, torch.zeros(1, 3, 24, 32), ["embed"], mc_samples=SAMPLES, token_grid=(5, 4), **ADDED)


GRAPH_NETWORKS: dict[str, tuple[nn.Module, str, Mode]] = {
    "tokens": (TokenNetwork(others=5), "last", "fixed"),
    "channels last": (ChannelsLastNetwork(), "last", "input"),
    "vector": (VectorNetwork(), "vector", "input"),
    "DropBlock of tokens": (TokenNetwork(inner=CellDropBlock(0.9, 2)), "last", "fresh"),
}
"""Networks and taps, with the mode that the fast tests try."""


@pytest.mark.parametrize(
    ("network", "tap", "mode"),
    [
        pytest.param(network, tap, mode, id=f"{case}-{mode}", marks=() if mode == fast else pytest.mark.slow)
        for case, (network, tap, fast) in GRAPH_NETWORKS.items()
        for mode in get_args(Mode)
    ],
)
def test_segmentation_graph_and_torchscript_of_any_layout_give_the_samples(
    network: nn.Module, tap: str, mode: Mode
) -> None:
    torch.manual_seed(0)
    preprocessing, size = Preprocessing(24, 32, (0.5,) * 3, (0.25,) * 3), (24, 32)
    constants = {} if hasattr(network, "inner") and not isinstance(network.inner, nn.Identity) else ADDED
    sampler = build_sampler(settled(network), torch.zeros(1, 3, *size), [tap], mc_samples=8, mode=mode, **constants)
    shapes = [site.noise_shape for site in sampler.sites] if mode == "input" else []
    monitored = MonitoredNetwork(preprocessing, sampler.module, "logits")
    graph = segmentation_graph(monitored, *size, NoiseSource(shapes, 8))
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    entropies = {FeatureKey.entropy(): np.random.default_rng(0).normal(size=(40, sampler.channels))}
    detector = OnePart(fit_part(PartOptions("kde", (FeatureKey.entropy(),)), entropies, ["a"] * 40))
    monitor = TorchMonitor(monitored, detector, 8, 3).eval()
    traced = None
    for frames in (2, 3):
        frame = torch.randint(0, 256, (frames, *size, 3), dtype=torch.uint8)
        noise = [torch.rand(frames, 8, *shape) for shape in shapes]
        feeds = {"frame": frame.numpy()} | {f"noise_{i}": each.numpy() for i, each in enumerate(noise)}
        _, latent_samples = session.run(None, feeds)
        if mode == "fresh":
            assert np.isfinite(latent_samples).all()
            assert not np.array_equal(latent_samples, session.run(None, feeds)[1])
            continue
        expected = sample_passes(network, preprocessing(frame), sampler, noise)
        np.testing.assert_allclose(latent_samples, expected.numpy(), rtol=0, atol=1e-5)
        with torch.inference_mode():
            wanted = monitor(frame, *noise)
            traced = traced or trace_monitor(monitor, [frame, *noise])
            torch.testing.assert_close(traced(frame, *noise), wanted, rtol=1e-5, atol=1e-5)


def test_moments_of_a_map_with_channels_last_are_those_of_its_channels() -> None:
    torch.manual_seed(0)
    network, size = settled(ChannelsLastNetwork()), (24, 32)
    preprocessing = Preprocessing(*size, (0.5,) * 3, (0.25,) * 3)
    sampler = build_sampler(network, torch.zeros(1, 3, *size), ["patches"], mc_samples=4, observed=["last"], **ADDED)
    assert sampler.channels_last == {"last"}
    frame = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8)
    key = FeatureKey.moments("last")
    with torch.no_grad():
        _, moments = sampler.observe([key])(preprocessing(frame))
    seen: list[Tensor] = []
    handle = network.last.register_forward_hook(lambda _, __, output: seen.append(output.double()))
    with torch.no_grad():
        network(preprocessing(frame))
    handle.remove()
    cells = seen[0][0].flatten(0, 1)
    expected = torch.cat([cells.mean(0), cells.std(0, correction=0).log()])
    torch.testing.assert_close(moments[0].double(), expected, rtol=1e-4, atol=1e-5)
    reference = FeatureReference(preprocessing, network, [key], channels_last=sampler.channels_last)
    np.testing.assert_allclose(reference.values(frame.numpy())[key], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_list_layers_of_every_layout_tells_channels_and_grid() -> None:
    layers = {layer.name: layer for layer in list_layers(ChannelsLastNetwork().eval(), torch.zeros(1, 3, 24, 32))}
    assert (layers["last"].channels, layers["last"].grid) == (14, (6, 8))
    assert (layers["patches"].channels, layers["patches"].grid) == (12, (6, 8))
    layers = {layer.name: layer for layer in list_layers(TokenNetwork().eval(), torch.zeros(1, 3, 24, 32))}
    assert (layers["last"].channels, layers["last"].grid) == (13, (13,))
