# SPDX-License-Identifier: Apache-2.0
"""Convert a network with any of its layers sampled to ONNX, for a search."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime as ort
from onnx import ModelProto
from torch import nn

from export.features.key import FeatureKey
from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.monitor_forms import cpu_session
from export.graphs.noise import seed_noise
from export.graphs.output_forms import OutputForm
from export.graphs.segmentation import BareNetwork, MonitoredNetwork, segmentation_graph
from export.layers.dropblock import is_drop_block
from export.pipeline.network_constants import resolve_drop_block
from export.pipeline.resolve import ExportInputs
from export.sampling.sampler import Sampler, build_sampler

GUIDE_SAMPLES = 10
"""The guide's S, with fresh masks; its k is the default of every entropy here."""


@dataclass(frozen=True)
class TapSlice:
    """Range of a tap's channels in the concatenated latent samples."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class GuideGraph:
    """The network with the guide's tap and S, under fresh masks.

    Attributes:
        session: frame to latent samples.
        key: of the entropies.
    """

    session: ort.InferenceSession
    key: FeatureKey


@dataclass(frozen=True)
class SearchGraphs:
    """The graphs that the frames are run through.

    Attributes:
        session: frame to its class map, the latent samples of all taps and every other feature.
        guide: None where the guide's configuration is left out.
        features: beside the latent samples, in the order of ``session``'s outputs.
        taps: of ``session``, in the order of their channels.
        samples: numbers of samples to look at, each above k.
        neighbors: k.
    """

    session: ort.InferenceSession
    guide: GuideGraph | None
    features: tuple[FeatureKey, ...]
    taps: tuple[TapSlice, ...]
    samples: tuple[int, ...]
    neighbors: int


def guides_tap(network: nn.Module) -> str | None:
    """Name of the network's one DropBlock layer, which the guide taps; None where it has none or several."""
    found = [name for name, module in network.named_modules() if is_drop_block(module)]
    return found[0] if len(found) == 1 else None


class SearchNetwork:
    """A network of which layers are sampled and graphs are made.

    Args:
        inputs: of an export: the network, which returns one tensor of logits, its input, constants of the masks, seed, k.
        output: what the network returns.

    Raises:
        UsageError: DropBlock's constants are missing or out of range.
    """

    def __init__(self, inputs: ExportInputs, output: OutputForm) -> None:
        self._options, self._checkpoint, self._preprocessing = inputs.options, inputs.checkpoint, inputs.preprocessing
        self._example, self._listed, self._output = inputs.example, inputs.listed, output
        self._height, self._width = inputs.frames.shape[:2]
        self._constants = resolve_drop_block(inputs.options, inputs.checkpoint)

    def sampler(
        self, taps: Sequence[str], samples: int, observed: Sequence[str] = (), *, fresh: bool = False
    ) -> Sampler:
        """Sample taps under masks drawn once, or drawn for each frame, and observe further layers."""
        drop_prob, block_size = self._constants
        return build_sampler(
            self._checkpoint.network,
            self._example,
            taps,
            mc_samples=samples,
            observed=observed,
            seed=self._options.seed,
            mode="fresh" if fresh else "fixed",
            drop_prob=drop_prob,
            block_size=block_size,
            force=self._options.force,
            only_tap=self._options.only_tap and not fresh,  # the guide's procedure samples everything
            token_grid=self._options.token_grid,
            listed=self._listed,
        )

    def search_graphs(
        self, taps: Sequence[str], observed: Sequence[str], samples: tuple[int, ...], guide_tap: str | None
    ) -> SearchGraphs:
        """Convert the network with all taps and the largest number of samples, and with the guide's configuration.

        Args:
            taps: names of the sampled layers.
            observed: names of the others.
            samples: numbers of samples, ascending.
            guide_tap: the tap of the guide's configuration; None leaves it out.
        """
        guide = None
        if guide_tap is not None:
            session = self._session(self.sampler([guide_tap], GUIDE_SAMPLES, fresh=True), [FeatureKey.entropy()])
            guide = GuideGraph(session, FeatureKey.entropy(guide_tap, GUIDE_SAMPLES, "fresh"))
        sampler = self.sampler(taps, samples[-1], observed)
        entropy, *others = evaluation_features(sampler.layers, segmented=True)
        session = self._session(sampler, [entropy, *others])
        return SearchGraphs(session, guide, tuple(others), self._slices(taps), samples, self._options.neighbors)

    def bare_graph(self) -> ModelProto:
        """Convert the network without a monitor."""
        network = BareNetwork(self._preprocessing, self._checkpoint.network, output=self._output)
        return segmentation_graph(network, self._height, self._width)

    def monitored_graph(self, sampler: Sampler, features: Sequence[FeatureKey]) -> ModelProto:
        """Convert the network with features beside the segmentation; latent samples stand for the entropies."""
        inside = sampler.observe([key for key in features if key.is_of_layers])
        network = MonitoredNetwork(self._preprocessing, inside, features=features, output=self._output)
        return segmentation_graph(network, self._height, self._width)

    def _session(self, sampler: Sampler, features: Sequence[FeatureKey]) -> ort.InferenceSession:
        graph = self.monitored_graph(sampler, features)
        seed_noise(graph, self._options.seed)
        return cpu_session(graph)

    def _slices(self, taps: Sequence[str]) -> tuple[TapSlice, ...]:
        widths = {layer.name: layer.channels for layer in self._listed.all}
        found, start = [], 0
        for tap in taps:
            width = widths[tap]
            assert width is not None  # the sampler has refused taps that give no tensor
            found.append(TapSlice(tap, start, start + width))
            start += width
        return tuple(found)
