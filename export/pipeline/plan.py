# SPDX-License-Identifier: Apache-2.0
"""Plan an export: everything that it finds, guesses and misses, before frames are read and anything is written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from export.anomalies.own_cutouts import read_cutouts
from export.answers.tiles import grid_of
from export.calibration.answer_options import MAP, TILES, changed_frames, reads_degraded
from export.calibration.cutout_fit import cutout_passes
from export.calibration.degraded_rows import CLEAN, passes
from export.calibration.limit_findings import limit_findings
from export.calibration.own_causes import OwnCause
from export.calibration.patched_rows import patched_passes
from export.errors import ExportError, refuse_exit
from export.features.key import FeatureKey
from export.findings import PLACEHOLDER, Finding
from export.frames.files import FrameFiles
from export.pipeline.answer import answer_causes, answer_labels
from export.pipeline.bundle_place import check_out, check_room
from export.pipeline.cost import DEAR, report_expected_cost
from export.pipeline.findings import Findings, needs_consent
from export.pipeline.many_frames import many_frames_advice
from export.pipeline.mask_size import report_mask_size
from export.pipeline.options import ExportOptions
from export.pipeline.random_frames import RandomFrames
from export.pipeline.resolve import ExportInputs, resolve_inputs
from export.pipeline.sample import SampledNetwork, sample_network
from export.pipeline.stated import stated_arguments, stated_by_inputs, stated_by_network
from export.reporter import SILENT, Reporter
from export.sampling.full_precision import without_autocast


@dataclass(frozen=True, eq=False)
class ExportPlan:
    """What an export, or a search before it, would do, and what it misses.

    Attributes:
        findings: in the order of the table.
        problems: what an export would refuse, in the order of its steps; none where it can begin.
        error: the problems as one error; None where there are none.
        command: words of the completed command behind ``python -m export``, with a placeholder for what the user alone knows;
            None for options that no command line can give.
        inputs: of the export; None where the network cannot be loaded. With problems, stand-ins are among them.
        sampled: the sampled network; None where it cannot be sampled.
    """

    findings: tuple[Finding, ...]
    problems: tuple[ExportError, ...]
    error: ExportError | None
    command: tuple[str, ...] | None
    inputs: ExportInputs | None
    sampled: SampledNetwork | None

    @property
    def undecided(self) -> tuple[str, ...]:
        """Subjects of the problems that no command remedies before the user has decided between several ways out."""
        left = (each for each in self.problems if not each.has_remedy or needs_consent(each.words))
        return tuple(dict.fromkeys(each.subject or "options" for each in left))

    @property
    def next_words(self) -> tuple[str, ...] | None:
        """Words of the command, once it remedies every problem as soon as its placeholders have values; else None."""
        return None if self.undecided else self.command

    @property
    def is_complete(self) -> bool:
        """Whether the command can be run as it is."""
        words = self.next_words
        return words is not None and not any(word == PLACEHOLDER or word.endswith(f"={PLACEHOLDER}") for word in words)

    def ready(self) -> tuple[ExportInputs, SampledNetwork]:
        """Inputs and sampled network, where an export can begin.

        Raises:
            ExportError: the one problem, or one error that lists all of them.
        """
        if self.error is not None:
            raise self.error
        assert self.inputs is not None  # what fails is among the problems
        assert self.sampled is not None
        return self.inputs, self.sampled


def plan_export(
    options: ExportOptions,
    reporter: Reporter = SILENT,
    network: nn.Module | None = None,
    held: FrameFiles | None = None,
) -> ExportPlan:
    """Find out what an export would do: load the network, run it, choose tap and masks, and collect all problems.

    Without frames, random pictures of the network's input size stand in for them. Nothing is written; what a killed export
    left at its destination is cleared up.

    Args:
        options: of the export; its ``frames`` may be empty.
        reporter: told each stage as it begins.
        network: a live one in place of the checkpoint.
        held: frames that the program holds, in place of those of the options.
    """
    findings = Findings(options, reporter)
    with watched_code(findings):
        findings.attempt("destination", check_out)
        inputs, sampled = look_at_network(findings, network, held)
        if inputs is not None:
            checkpoint = inputs.checkpoint
            findings.attempt("destination", lambda options: check_room(options, checkpoint))
            advice = many_frames_advice(len(inputs.frames), options.frames, options.out)
            if advice is not None and not inputs.frames.in_memory:
                findings.stage(advice)
        if inputs is not None and options.answers.labels:
            found = inputs
            findings.attempt("labels", lambda _: answer_labels(found))
        if options.answers.objects:
            findings.attempt("objects", lambda options: read_cutouts(options.answers.objects))
        causes = None
        if inputs is not None and options.answers.causes and not isinstance(inputs.frames, RandomFrames):
            given = inputs
            causes = findings.attempt("causes", lambda _: answer_causes(given))
        if inputs is not None and sampled is not None:
            report_mask_size(sampled, findings)
            _note_cost(inputs, sampled, findings, causes or ())
    return ExportPlan(
        findings=findings.all,
        problems=tuple(findings.problems),
        error=findings.error() if findings.problems else None,
        command=findings.command,
        inputs=inputs,
        sampled=sampled,
    )


@contextmanager
def watched_code(findings: Findings) -> Iterator[None]:
    """Run code of a user's network: without autocast, which becomes a finding, and with ``sys.exit`` turned into an error.

    Raises:
        ExportError: the code calls ``sys.exit``.
    """
    with refuse_exit(ExportError, "the code of the network"), without_autocast() as autocasts:
        yield
        findings.found(*autocasts.findings)


def look_at_network(
    findings: Findings, network: nn.Module | None = None, held: FrameFiles | None = None
) -> tuple[ExportInputs | None, SampledNetwork | None]:
    """Load the network, run it, and choose tap and masks; write nothing.

    Args:
        findings: hold the options, and gain what is found and the problems.
        network: a live one in place of the checkpoint.
        held: frames that the program holds, in place of those of the options.

    Returns:
        Inputs, with stand-ins where there are problems, and the sampled network; None for what cannot be had.
    """
    inputs = resolve_inputs(findings, network, held)
    sampled = None
    if inputs is not None:
        findings.complete(stated_by_inputs(findings.given, inputs))
        findings.found(*stated_arguments(findings.given, inputs))
        findings.stage("sampling the tap")
        sampled = sample_network(inputs, findings)
    if sampled is None:
        _note_unseen(findings)
        return inputs, None
    findings.complete(stated_by_network(findings.given, sampled))
    findings.found(*sampled.sampler.findings)
    for warning in sampled.warnings:
        findings.stage(f"warning: {warning}")
    return inputs, sampled


def _note_cost(inputs: ExportInputs, sampled: SampledNetwork, findings: Findings, causes: Sequence[OwnCause]) -> None:
    ratio = report_expected_cost(inputs, sampled, findings)
    if ratio is not None:
        reason = f"more than {DEAR:g}" if ratio > DEAR else ""
        findings.found(Finding("cost", f"{ratio:.2f} of the bare network's operations", "found", reason))
    wanted = inputs.options.answers.wanted
    if wanted:
        frames, most = _frames(inputs), "at most " * isinstance(inputs.frames, RandomFrames)
        count = passes(frames, causes) * reads_degraded(wanted) + patched_passes(frames) * bool(sampled.tiles)
        count += cutout_passes(frames) * bool(sampled.maps)
        own = "".join(f", and frames of {each.name}" for each in causes)
        reason = f"{most}{count:,} passes of the network over {changed_frames(wanted)}{own}"
        names = sorted(wanted)
        findings.found(Finding("answers", " and ".join(names), "given", reason, ("--answers", *names)))
    if sampled.tiles:
        findings.found(_tiles_finding(inputs.options.tile_grid, sampled.tiles))
    if sampled.maps:
        findings.found(_map_finding(sampled.maps))
    if not isinstance(inputs.frames, RandomFrames):
        told = [name for name, keys in ((TILES, sampled.tiles), (MAP, sampled.maps)) if keys]
        findings.found(*limit_findings(inputs.split.fitted, inputs.split.names, told, inputs.options.seed))


def _tiles_finding(asked: tuple[int, int], keys: Sequence[FeatureKey]) -> Finding:
    """The tiles that abnormal ones are told of, and what they are told by: layers' maps and the picture."""
    rows, columns = grid_of(keys)
    fewer = "" if (rows, columns) == asked else f", fewer than {asked[0]} x {asked[1]}: the layers' maps are small"
    reason = f"read from {', '.join(key.layer or 'the picture' for key in keys)}{fewer}"
    words = ("--tile-grid", str(rows), str(columns))
    return Finding("tiles", f"{rows} x {columns}", "found" if fewer else "given", reason, words)


def _map_finding(keys: Sequence[FeatureKey]) -> Finding:
    """The cells of the anomaly map, and the layers whose maps it may be made of."""
    rows, columns = grid_of(keys[:1])
    layers = ", ".join(str(key.layer) for key in keys[1:])
    reason = f"the logits at every fourth row and column, or as coarse as they are; beside them {layers or 'no layer'}"
    return Finding("anomaly map", f"{rows} x {columns} cells", "found", reason)


def _frames(inputs: ExportInputs) -> int:
    """Calibration frames that answers are fitted to; as many as there can be where no frame is known."""
    return CLEAN if isinstance(inputs.frames, RandomFrames) else len(inputs.split.fitted)


def _note_unseen(findings: Findings) -> None:
    """Note what could not be looked at, since it needs what is missing."""
    known = {finding.subject for finding in findings.all}
    unseen = [subject for subject in ("mean and deviation", "output", "tap", "DropBlock") if subject not in known]
    if unseen:
        findings.found(Finding("later", ", ".join(unseen), "missing", "cannot be looked at before the rest is stated"))
