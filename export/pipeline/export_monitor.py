# SPDX-License-Identifier: Apache-2.0
"""Export a monitor: the stages from a checkpoint and frames to a bundle, one after the other."""

from dataclasses import dataclass

from torch import nn

from export.destination import claimed
from export.errors import ExportError, refuse_exit
from export.frames.files import FrameFiles
from export.pipeline.answer import answer_monitor
from export.pipeline.calibrate import calibrate_monitor
from export.pipeline.choose import choose_detector
from export.pipeline.convert import convert_network
from export.pipeline.cost import report_measured_cost
from export.pipeline.options import ExportOptions
from export.pipeline.plan import ExportPlan, plan_export
from export.pipeline.reduce import reduce_monitor
from export.pipeline.resolve import see_inputs
from export.pipeline.torchscript import trace_torchscript
from export.pipeline.verify import verify_monitor
from export.pipeline.write import write_monitor
from export.precision.options import FLOAT32
from export.reporter import SILENT, Reporter
from export.sampling.full_precision import without_autocast
from lsood_runtime import Manifest
from lsood_runtime.offline import ParityRecord

__all__ = ["ExportOptions", "ExportPlan", "ExportResult", "export_monitor", "plan_export"]


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Attributes:
        manifest: of the bundle.
    """

    manifest: Manifest

    @property
    def parity(self) -> ParityRecord:
        """How closely the bundle's graphs follow the PyTorch network."""
        return self.manifest.parity


def export_monitor(
    options: ExportOptions,
    reporter: Reporter = SILENT,
    network: nn.Module | None = None,
    held: FrameFiles | None = None,
) -> ExportResult:
    """Turn a checkpoint, or a network of the program that calls this, into a bundle at ``options.out``.

    Args:
        options: what to export.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        network: any module with its weights, in place of a checkpoint: then ``options.ckpt`` is None. A copy is exported, and
            the module is left as it is.
        held: frames that the program holds, as :class:`export.frames.arrays.FrameArrays`, in place of files: then
            ``options.frames`` is empty.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
    """
    with (
        refuse_exit(ExportError, "the code of the network"),
        claimed(options.out, "choose another --out"),
        without_autocast(),
    ):
        return _export(plan_export(options, reporter, network, held), reporter)


def _export(plan: ExportPlan, reporter: Reporter) -> ExportResult:
    reporter.found(*plan.findings)
    if plan.problems and plan.next_words is not None:
        reporter.completed(plan.next_words)
    inputs, sampled = plan.ready()
    inputs = see_inputs(inputs, reporter)
    reporter.stage("converting to ONNX")
    converted = convert_network(inputs, sampled)
    sampled = choose_detector(inputs, sampled, converted, reporter)
    reporter.stage("fitting detector and thresholds")
    monitor = calibrate_monitor(inputs, sampled, converted, reporter)
    if inputs.options.precision.kind == FLOAT32:  # else the network of fewer bits is what answers are fitted to
        monitor = answer_monitor(inputs, sampled, monitor, reporter)
    traced = trace_torchscript(inputs, sampled, monitor, reporter)
    verified = verify_monitor(inputs, sampled, monitor, traced, reporter)
    report_measured_cost(inputs, sampled, verified.monitor, reporter)
    reduced = reduce_monitor(inputs, sampled, converted, verified, reporter)
    reporter.stage(f"writing {inputs.options.out}")
    return ExportResult(write_monitor(inputs, sampled, reduced))
