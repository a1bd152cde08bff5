# SPDX-License-Identifier: Apache-2.0
"""Stage ``sample``: sample the taps of the network, and set up the noise of its masks."""

from dataclasses import dataclass

from export.calibration.answer_options import MAP, TILES, check_road_classes
from export.calibration.detector_choice import DetectorChoice, choose_parts
from export.checkpoint.output_form import check_output_form
from export.errors import CalibrationError, ConversionError, TapError
from export.features.key import FeatureKey
from export.graphs.evaluation_outputs import FEWEST_MAP_CELLS, evaluation_features, map_features, tile_features
from export.graphs.noise import NoiseSource
from export.graphs.output_forms import OutputForm
from export.pipeline.blind_tap import blind_tap_warnings
from export.pipeline.findings import Findings
from export.pipeline.network_constants import resolve_drop_block
from export.pipeline.network_outputs import outputs_of, some_inputs
from export.pipeline.options import ExportOptions
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
        tiles: keys of what abnormal tiles are told by; none where no tiles are asked for.
        maps: that an anomaly map may be made of, the logits' first; none where none is asked for.
        warnings: of taps that cannot see a difference between frames.
        site_noise: noise of every site; none for fixed masks.
        graph_noise: noise that is an input of the graph: ``site_noise`` for masks of mode ``input``, none for the others.
    """

    sampler: Sampler
    output: OutputForm
    choice: DetectorChoice
    tiles: tuple[FeatureKey, ...]
    maps: tuple[FeatureKey, ...]
    warnings: tuple[str, ...]
    site_noise: NoiseSource
    graph_noise: NoiseSource


def sample_network(inputs: ExportInputs, findings: Findings) -> SampledNetwork | None:
    """Split the network at its first stochastic layer and sample its taps.

    Args:
        inputs: of the export, or stand-ins for what is missing.
        findings: gain what is found and the problems: a tap or a site that cannot be sampled; a network that cannot be run or
            followed, or whose output is no segmentation, or not what is said; a detector that reads what it does not give.

    Returns:
        The sampled network; None where a problem has no remedy to go on with.
    """
    network = inputs.checkpoint.network
    taps = findings.attempt("tap", lambda options: resolve_taps(network, options.tap))
    form = findings.attempt("output", lambda options: _output_form(inputs, options))
    if taps is None or form is None:
        return None
    known_taps, known_form = taps, form
    return findings.attempt("tap", lambda options: _sample(inputs, options, known_taps, known_form))


def _output_form(inputs: ExportInputs, options: ExportOptions) -> OutputForm:
    """What the network returns, by its output for some frames."""
    if inputs.logits_shape is None:
        return "logits"
    seen = outputs_of(inputs.checkpoint.network, inputs.preprocessing, inputs.frames)
    return check_output_form(seen, options.network_output)


def _sample(inputs: ExportInputs, options: ExportOptions, taps: tuple[str, ...], form: OutputForm) -> SampledNetwork:
    network, example = inputs.checkpoint.network, inputs.example
    drop_prob, block_size = resolve_drop_block(options, inputs.checkpoint)
    sampler = build_sampler(
        network,
        example,
        taps,
        mc_samples=options.mc_samples,
        observed=resolve_feature_layers(network, example, options.feature_layers, taps, inputs.listed),
        seed=options.seed,
        mode=options.masks,
        drop_prob=drop_prob,
        block_size=block_size,
        with_output=inputs.logits_shape is not None,
        force=options.force,
        only_tap=options.only_tap,
        token_grid=options.token_grid,
        listed=inputs.listed,
    )
    _check_token_grid(options, sampler)
    drawn = sampler.sites if sampler.mode != "fixed" else ()
    site_noise = NoiseSource([site.noise_shape for site in drawn], sampler.samples, options.seed)
    graph_noise = site_noise if sampler.mode == "input" else NoiseSource()
    others = [layer for layer in sampler.layers if layer not in sampler.taps]
    available = evaluation_features(sampler.layers, segmented=sampler.with_output)
    choice = choose_parts(options.calibration, available, sampler.taps)
    _check_components(choice, sampler)
    return SampledNetwork(
        sampler=sampler,
        output=form,
        choice=choice,
        tiles=_tiles(options, sampler),
        maps=_maps(inputs, options, sampler),
        warnings=tuple(
            blind_tap_warnings(
                network, some_inputs(inputs.preprocessing, inputs.frames), taps, others, sampler.channels_last
            )
        ),
        site_noise=site_noise,
        graph_noise=graph_noise,
    )


def _tiles(options: ExportOptions, sampler: Sampler) -> tuple[FeatureKey, ...]:
    """Keys of what abnormal tiles are told by; none where they are not asked for."""
    if TILES not in options.answers.wanted:
        return ()
    keys = tile_features(sampler.maps, *options.tile_grid)
    if not keys:
        others = ", ".join(layer for layer in sampler.layers if layer not in sampler.taps)
        raise TapError(
            f"expected a layer beside the tap that gives a map for --answers {TILES}, got "
            f"{others or 'none'}: name one by --feature-layers, or leave {TILES} out"
        )
    return keys


def _maps(inputs: ExportInputs, options: ExportOptions, sampler: Sampler) -> tuple[FeatureKey, ...]:
    """Maps that an anomaly map may be made of; none where none is asked for."""
    if MAP not in options.answers.wanted or inputs.logits_shape is None:
        return ()
    classes, *logits = inputs.logits_shape
    check_road_classes(options.answers.road_classes, classes)
    preprocessing = inputs.preprocessing
    seen = preprocessing.height, preprocessing.width
    keys = map_features({**sampler.maps, **sampler.tap_maps}, (logits[0], logits[1]), seen, preprocessing.pad)
    if not keys:
        raise ConversionError(
            f"expected an output of {FEWEST_MAP_CELLS} or more rows and columns for --answers {MAP}, got "
            f"{logits[0]} x {logits[1]}: an object would have no place in it; leave {MAP} out"
        )
    return keys


def _check_components(choice: DetectorChoice, sampler: Sampler) -> None:
    """Refuse more principal components than there are entropies; how many numbers other features have is not known yet."""
    for part in choice.parts:
        if part.pca is not None and part.keys == (FeatureKey.entropy(),) and part.pca > sampler.channels:
            raise CalibrationError(
                f"expected at most {sampler.channels} PCA components, as many as entropies, got {part.pca}: lower --pca"
            )


def _check_token_grid(options: ExportOptions, sampler: Sampler) -> None:
    """Refuse a grid by the user that is the grid of no tap's tokens."""
    used = (finding.origin == "given" for finding in sampler.findings if "--token-grid" in finding.words)
    if options.token_grid is not None and not any(used):
        found = next((finding for finding in sampler.findings if "--token-grid" in finding.words), None)
        why = (
            f"DropBlock at {' and '.join(sampler.taps)} works on no tokens"
            if found is None
            else f"there are {found.value}, {found.reason}"
        )
        rows, columns = options.token_grid
        raise TapError(
            f"expected --token-grid of the tokens on which DropBlock works, got {rows} {columns}: {why}; leave the flag out"
        )
