# SPDX-License-Identifier: Apache-2.0
"""Plan a search: the plan of the exports that it tries, with what it needs besides."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from export.errors import CalibrationError
from export.findings import PLACEHOLDER
from export.frames.files import FrameFiles
from export.pipeline.findings import Findings, completed_command
from export.pipeline.options import ExportOptions
from export.pipeline.plan import ExportPlan, look_at_network, watched_code
from export.pipeline.random_frames import RandomFrames
from export.pipeline.resolve import check_options
from export.reporter import SILENT, Reporter
from export.search.flag_names import (
    SearchReporter,
    error_of_search,
    finding_of_search,
    flags_of_search,
    told_as_of_search,
)
from export.search.option_check import check_search
from export.search.options import SearchOptions

_FEWEST_FRAMES = 40
"""Four fifths of them fit each detector: a bandwidth is chosen over ten, and an AUROC of fewer frames says little."""


def plan_search(options: SearchOptions, reporter: Reporter = SILENT, network: nn.Module | None = None) -> ExportPlan:
    """Find out what a search would do, as :func:`export.pipeline.plan.plan_export` does for an export.

    The network is loaded, run and sampled at all taps together, under the largest number of samples. Without frames, random
    pictures stand in for them. Nothing is written.

    Args:
        options: of the search; its ``frames`` may be empty.
        reporter: told each stage as it begins.
        network: a live one in place of the checkpoint.

    Raises:
        UsageError: options that are wrong for every checkpoint.
        ExportError: the code of the network calls ``sys.exit``.
    """
    with told_as_of_search():
        check_search(options)
        findings = Findings(options.export_options(options.taps, max(options.samples)), SearchReporter(reporter))
        for count in sorted(set(options.samples))[:-1]:
            findings.attempt("options", partial(_check_samples, count))
        with watched_code(findings):
            inputs, sampled = look_at_network(findings, network)
            if inputs is not None and not isinstance(inputs.frames, RandomFrames):
                files = inputs.frames
                findings.attempt("frames", lambda _: _check_count(files))
    given = options if options.frames else replace(options, frames=(Path(PLACEHOLDER),))
    command = completed_command(
        given,
        [[flags_of_search(word) for word in words] for words in findings.stated],
        [flags_of_search(flag) for flag in findings.without],
    )
    return ExportPlan(
        findings=tuple(map(finding_of_search, findings.all)),
        problems=tuple(map(error_of_search, findings.problems)),
        error=error_of_search(findings.error()) if findings.problems else None,
        command=None if command is None else ("search", *command),
        inputs=inputs,
        sampled=sampled,
    )


def _check_samples(count: int, options: ExportOptions) -> None:
    check_options(replace(options, mc_samples=count))


def _check_count(files: FrameFiles) -> None:
    if len(files) < _FEWEST_FRAMES:
        raise CalibrationError(f"expected at least {_FEWEST_FRAMES} frames, got {len(files)}: search with more frames")
