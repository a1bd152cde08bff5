# SPDX-License-Identifier: Apache-2.0
"""Stage ``choose``: choose a detector by degraded frames of drives left out, where the options ask for ``auto``."""

from dataclasses import replace

from export.calibration.options import AUTO
from export.evaluation.automatic_choice import FITTED_FRAMES, choose_automatically, degraded_frames
from export.frames.evenly_spaced import evenly_spaced
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.measure import NetworkFeatures
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


def choose_detector(
    inputs: ExportInputs, sampled: SampledNetwork, converted: ConvertedNetwork, reporter: Reporter
) -> SampledNetwork:
    """Replace the default choice of a network by the one that ranks first; leave a choice that was asked for as it is.

    Raises:
        CalibrationError: too few frames, or ones that no detector can be fitted on.
    """
    options, split = inputs.options, inputs.split
    if options.calibration.detector != AUTO:
        return sampled
    reporter.stage("choosing a detector")
    measure = NetworkFeatures(sampled, converted, sampled.choice.keys, options.neighbors, segmented=True)
    chosen = evenly_spaced(split.fitted, FITTED_FRAMES)
    ind = measure.of(inputs.frames, chosen.tolist(), "choosing", reporter)
    shifts = degraded_frames(inputs.frames, chosen, measure, options.seed, reporter)
    choice = choose_automatically(sampled.choice, ind, split.names(chosen), shifts, options.seed, reporter)
    return replace(sampled, choice=choice)
