# SPDX-License-Identifier: Apache-2.0
"""Find the tap that an export takes where none is named, for the list of the layers."""

from collections.abc import Mapping

from export.checkpoint.load import Checkpoint
from export.errors import TapError
from export.findings import Finding
from export.frames.files import FrameFiles
from export.pipeline.default_tap import LOOKED_AT, ONE_DROP_BLOCK, choose_tap
from export.pipeline.findings import Findings
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.network_outputs import some_inputs
from export.pipeline.options import ExportOptions
from export.pipeline.random_frames import random_frames
from export.reporter import SILENT
from export.sampling.taps import resolve_taps


def listed_taps(options: ExportOptions, checkpoint: Checkpoint) -> Mapping[str, Finding]:
    """The taps of an export with these options, each with where it comes from; none where no layer can be tapped by default.

    Where constants are missing that an export refuses to go without, stand-ins are taken; without frames, random pictures.

    Args:
        options: their ``frames`` may be empty.
        checkpoint: the network, which runs on frames of that size.

    Raises:
        TapError: a name that the network does not have.
        UsageError: frames, a crop or a size that cannot be used.
    """
    network, findings = checkpoint.network, Findings(options, SILENT)
    if options.tap:
        return {tap: Finding("tap", tap, "given") for tap in resolve_taps(network, options.tap)}
    frames: FrameFiles = random_frames(options, checkpoint)
    if options.frames:
        frames = FrameFiles(options.frames, options.channels, options.reading.rules)
    preprocessing = findings.attempt(
        "mean and deviation", lambda options: resolve_preprocessing(options, checkpoint, frames, findings)
    )
    if preprocessing is None:
        raise findings.error()
    images = list(some_inputs(preprocessing, frames, LOOKED_AT))
    try:
        taps = choose_tap(network, images, options, findings).tap or resolve_taps(network, ())
    except TapError:
        return {}
    why = next((finding for finding in findings.all if finding.subject == "tap"), None)
    return {tap: why or Finding("tap", tap, "found", ONE_DROP_BLOCK) for tap in taps}
