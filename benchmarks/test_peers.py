# SPDX-License-Identifier: Apache-2.0
"""Published code beside ours: the same weights, the same frame, the same detector, in the same run.

Before anything is timed each peer must give our score, under the masks that it drew itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sklearn.pipeline import Pipeline
from torch import Tensor, nn

from benchmarks.conftest import Record
from benchmarks.measure import latency, ratio, take_turns
from benchmarks.networks import (
    NEIGHBORS,
    TAP,
    Placement,
    Subject,
    alone,
    load_detector,
    monitored,
    random_detector,
    scored,
    subject,
)
from benchmarks.peers import Density, GuideProcedure, OnePass, Rows
from export.detectors.entropy import latent_entropy
from export.graphs.monitor_forms import cpu_session, run_graph
from export.graphs.noise import NoiseSource
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.dropblock import DropBlock2D
from export.sampling.sampler import build_sampler

HEIGHT, WIDTH, COMPONENTS, FIT_FRAMES, WARM_UP, PAUSE = 256, 512, 58, 1000, 1, 0.05
SAME = 1e-4
"""How far two scores may be apart, as a share: float32 latents, whose distances enter a logarithm."""


@dataclass(frozen=True, eq=False)
class Contest:
    """One network, and the detector that everybody uses on it."""

    who: Subject
    image: Tensor
    tap: DropBlock2D
    detector: Pipeline
    density: Density
    exact: Density


@cache
def contest(backbone: str, samples: int) -> Contest:
    """The density stands around the frame's own entropies, as it would for an in-distribution frame."""
    who = subject(backbone, HEIGHT, WIDTH)
    image = who.preprocessing(torch.from_numpy(who.frame))
    sampler = who.sampler(samples, with_output=False)
    with torch.no_grad():
        entropies = latent_entropy(sampler.module(image).numpy(), NEIGHBORS)
    rows = entropies + np.random.default_rng(2).normal(scale=0.5, size=(FIT_FRAMES, sampler.channels))
    detector = random_detector(sampler.channels, COMPONENTS, FIT_FRAMES)
    detector.named_steps["pca"].fit(rows)
    detector.named_steps["detector"].fit(detector.named_steps["pca"].transform(rows))
    pca = detector.named_steps["pca"]
    tap = who.network.get_submodule(TAP)
    assert isinstance(tap, DropBlock2D)
    return Contest(who, image, tap, detector, Density(pca, rows, 1.0), Density(pca, rows, 1.0, leaf_size=FIT_FRAMES))


def check_same_score(
    match: Contest, samples: int, peer: Callable[[Tensor], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our graphs, fed the random numbers that the peer drew, give the peer's score."""
    drawn: list[Tensor] = []
    rand = torch.rand

    def recorded(*shape: int, **options: object) -> Tensor:
        drawn.append(rand(*shape, **options))  # type: ignore[call-overload]
        return drawn[-1]

    with monkeypatch.context() as patch:
        patch.setattr(torch, "rand", recorded)
        torch.manual_seed(3)
        score = peer(match.image)
    sampler = match.who.sampler(samples, "input", with_output=False)
    noise = [torch.stack([values[0] for values in drawn])[None].numpy()]
    source = NoiseSource([site.noise_shape for site in sampler.sites], samples)
    assert [values.shape[1:] for values in noise] == list(source.shapes)
    network = MonitoredNetwork(match.who.preprocessing, sampler.module, "none")
    graph = cpu_session(segmentation_graph(network, HEIGHT, WIDTH, source))
    detector = cpu_session(scored(samples, match.detector, sampler.channels))
    latents = run_graph(graph, match.who.frame, noise)["latent_samples"]
    (ours,) = detector.run(["score"], {"latent_samples": latents})
    assert abs(float(ours[0]) - score) <= SAME * abs(score), f"ours {float(ours[0])}, peer {score}"


@pytest.mark.parametrize("samples", [10, 16])
def test_guide(
    samples: int,
    placement: Placement,
    benchmark: BenchmarkFixture,
    record: Record,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backbone = pytestconfig.getoption("--peer-backbone")
    match = contest(backbone, samples)
    network = match.who.network
    check_same_score(match, samples, GuideProcedure(network, match.tap, samples, match.exact), monkeypatch)
    guide = GuideProcedure(network, match.tap, samples, match.density)
    calls = {
        "guide": lambda: guide(match.image),
        "torch alone": lambda: torch_alone(match),
        "ours": monitored(match.who, samples, placement, pca=COMPONENTS),
    }
    times = take_turns(calls, min(pytestconfig.getoption("--pairs"), 30), WARM_UP, PAUSE)
    where = f"{backbone} {HEIGHT}x{WIDTH} S={samples}"
    facts = {"backbone": backbone, "samples": samples}
    for name in ("guide", "torch alone"):
        record(f"{name} / ours, {where}", ratio(times[name], times["ours"]), what=name, **facts)
    for name, values in times.items():
        record(f"{name}, {where}", latency(values, ()), what=name, **facts)
    benchmark.pedantic(calls["ours"], rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]


def torch_alone(match: Contest) -> Tensor:
    """The class map by PyTorch, on as many threads as it takes by itself."""
    with torch.no_grad():
        return match.who.network(match.image).argmax(dim=1)  # type: ignore[no-any-return]


def after_network(match: Contest, samples: int, channels: int, placement: Placement) -> Callable[[], float]:
    """Ours, from the tap's features to the score: what a bundle does behind the network, in one session."""
    tap = nn.Sequential(OrderedDict(drop_block=DropBlock2D(match.tap.drop_prob, match.tap.block_size))).eval()
    sampler = build_sampler(tap, _features(match), ("drop_block",), mc_samples=samples, with_output=False)
    program = torch.onnx.export(
        sampler.module.eval(),
        (_features(match),),
        dynamo=True,
        opset_version=20,
        input_names=["features"],
        output_names=["latent_samples"],
        verbose=False,
    )
    assert program is not None
    features = np.ascontiguousarray(
        _features(match).numpy()
    )  # PyTorch's has channels last; in our graph they come first
    network = placement.load(
        "tap.onnx",
        program.model_proto,
        {"features": ("tensor(float)", features.shape[1:])},
        {"latent_samples": ("tensor(float)", (samples, channels))},
    )
    detector = load_detector(scored(samples, match.detector, channels), samples, channels, placement)

    def run() -> float:
        (latents,) = network.run(["latent_samples"], {"features": features})
        return float(detector.run(["score"], {"latent_samples": latents})[0][0])

    return run


@cache
def _features(match: Contest) -> Tensor:
    caught: list[Tensor] = []
    hook = match.tap.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    with torch.no_grad():
        match.who.network(match.image)
    hook.remove()
    return caught[0]


def test_one_pass(
    placement: Placement,
    benchmark: BenchmarkFixture,
    record: Record,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples, backbone, pairs = 16, pytestconfig.getoption("--peer-backbone"), pytestconfig.getoption("--pairs")
    match = contest(backbone, samples)
    network = match.who.network
    exact = OnePass(network, match.tap, samples, match.exact)
    check_same_score(match, samples, lambda image: exact(image)[1], monkeypatch)
    peer = OnePass(network, match.tap, samples, match.density)
    features = _features(match)
    calls = {
        "one pass": lambda: peer(match.image),
        "one pass, exact density": lambda: exact(match.image),
        "ours": monitored(match.who, samples, placement, pca=COMPONENTS),
        "network alone": alone(match.who, placement),
    }
    behind = {
        "one pass": lambda: peer.after_network(features),
        "ours": after_network(match, samples, features.shape[1], placement),
    }
    where = f"{backbone} {HEIGHT}x{WIDTH} S={samples}"
    facts = {"backbone": backbone, "samples": samples}
    times = take_turns(calls, pairs, WARM_UP, PAUSE)
    for name in ("one pass", "one pass, exact density"):
        record(f"{name} / ours, {where}", ratio(times[name], times["ours"]), what=name, **facts)
    for name, values in times.items():
        record(f"{name}, {where}", latency(values, ()), what=name, **facts)
    times = take_turns(behind, pairs, WARM_UP, PAUSE)
    record(
        f"behind the network: one pass / ours, {where}", ratio(times["one pass"], times["ours"]), what="behind", **facts
    )
    for name, values in times.items():
        record(f"behind the network: {name}, {where}", latency(values, ()), what=f"behind {name}", **facts)
    benchmark.pedantic(calls["ours"], rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]


def test_densities_differ_where_the_default_prunes(benchmark: BenchmarkFixture, record: Record) -> None:
    """The peers' default density against the exact one, on a frame half a unit of entropy off in every dimension."""
    match = contest("resnet18", 16)
    rows: Rows = latent_entropy(np.random.default_rng(4).normal(size=(16, 512)), NEIGHBORS)
    record(
        "score of an out-of-distribution frame",
        {"exact": match.exact(rows), "default": match.density(rows)},
        what="density",
    )
    benchmark.pedantic(lambda: match.density(rows), rounds=5)  # type: ignore[no-untyped-call]
