# SPDX-License-Identifier: Apache-2.0
"""Stage ``sample``: sample the taps of the network, and set up the noise of its masks."""

from dataclasses import dataclass

import numpy as np
import torch

from export.calibration.detector_choice import DetectorChoice, choose_parts
from export.checkpoint.output_form import check_output_form
from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.noise import NoiseSource
from export.graphs.output_forms import OutputForm
from export.pipeline.blind_tap import blind_tap_warnings
from export.pipeline.network_outputs import outputs_of, some_inputs
from export.pipeline.resolve import ExportInputs
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.sampler import Sampler, build_sampler
from export.sampling.taps import resolve_taps


@dataclass(frozen=True, eq=False)
class SampledNetwork:
    """A network whose taps are sampled.

    Attributes:
        sampler: the network, split at its first stochastic layer.
        output: what the network returns.
        choice: what will be fitted to its features.
        warnings: of taps that cannot see a difference between frames.
        site_noise: noise of every site; none for fixed masks.
        graph_noise: noise that is an input of the graph: ``site_noise`` for masks of mode ``input``, none for the others.
    """

    sampler: Sampler
    output: OutputForm
    choice: DetectorChoice
    warnings: tuple[str, ...]
    site_noise: NoiseSource
    graph_noise: NoiseSource


def sample_network(inputs: ExportInputs) -> SampledNetwork:
    """Split the network at its first stochastic layer and sample its taps.

    Raises:
        TapError: a tap or a site that cannot be sampled.
        ConversionError: a network that cannot be run or followed, or whose output is not what is said.
        UsageError: a detector that reads what the network does not give.
    """
    options, network = inputs.options, inputs.checkpoint.network
    example = inputs.preprocessing(torch.from_numpy(np.array(inputs.frames[0]))[None])
    taps = resolve_taps(network, options.tap)
    output: OutputForm = "logits"
    if inputs.logits_shape is not None:
        output = check_output_form(outputs_of(network, inputs.preprocessing, inputs.frames), options.network_output)
    sampler = build_sampler(
        network,
        example,
        taps,
        mc_samples=options.mc_samples,
        observed=resolve_feature_layers(network, example, options.feature_layers, taps),
        seed=options.seed,
        mode=options.masks,
        drop_prob=inputs.drop_prob,
        block_size=inputs.block_size,
        with_output=inputs.logits_shape is not None,
        force=options.force,
        only_tap=options.only_tap,
        token_grid=options.token_grid,
    )
    drawn = sampler.sites if sampler.mode != "fixed" else ()
    site_noise = NoiseSource([site.noise_shape for site in drawn], sampler.samples, options.seed)
    graph_noise = site_noise if sampler.mode == "input" else NoiseSource()
    others = [layer for layer in sampler.layers if layer not in sampler.taps]
    available = evaluation_features(sampler.layers, segmented=sampler.with_output)
    return SampledNetwork(
        sampler=sampler,
        output=output,
        choice=choose_parts(options.calibration, available, sampler.taps),
        warnings=tuple(
            blind_tap_warnings(
                network, some_inputs(inputs.preprocessing, inputs.frames), taps, others, sampler.channels_last
            )
        ),
        site_noise=site_noise,
        graph_noise=graph_noise,
    )
