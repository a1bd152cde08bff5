# SPDX-License-Identifier: Apache-2.0
"""Stage ``reduce``: convert the monitor to the precision of the options."""

from dataclasses import replace

import numpy as np
from onnx import ModelProto

from export.anomalies.frame_set import FrameSource
from export.bundle.parity import check_agreement
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.graphs.detector import features_graph
from export.graphs.evaluation_outputs import output_shapes
from export.graphs.monitor_forms import Form
from export.pipeline.answer import answer_monitor
from export.pipeline.calibrate import calibrate_monitor
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.forms import runnable_forms
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.pipeline.verify import VerifiedMonitor, check_answers
from export.precision.gate import PrecisionGate
from export.precision.options import FLOAT32
from export.precision.reduce import reduce_precision
from export.reporter import Reporter


def reduce_monitor(
    inputs: ExportInputs,
    sampled: SampledNetwork,
    converted: ConvertedNetwork,
    verified: VerifiedMonitor,
    reporter: Reporter,
) -> VerifiedMonitor:
    """Convert the network to fewer bits and calibrate it anew; do nothing where the options ask for float32.

    Raises:
        ParityError: it costs more than was allowed, or its forms disagree.
        UsageError: there is nothing to convert.
    """
    options, frames = inputs.options, inputs.frames
    if options.precision.kind == FLOAT32:
        return verified

    def calibrate(graph: ModelProto) -> CalibratedMonitor:
        return calibrate_monitor(inputs, sampled, replace(converted, evaluation=graph), reporter)

    def form(monitor: CalibratedMonitor) -> Form:
        """The monitor with the detector of the first fold, which the gate's frames did not fit."""
        shapes = output_shapes(monitor.evaluation)
        fold_detector = features_graph(monitor.calibration.fold_detector, shapes, options.neighbors)
        return next(runnable_forms(replace(monitor, detector=fold_detector).graphs(fuse=False), sampled))

    left_out = inputs.split.left_out
    fitted = np.delete(np.arange(len(frames)), left_out).tolist()
    reduction = reduce_precision(
        verified.monitor,
        options.precision,
        neighbors=options.neighbors,
        calibrate=calibrate,
        form=form,
        gate=PrecisionGate(frames, left_out, sampled.site_noise, options.seed, reporter),
        fitted=FrameSource("fitted", frames, tuple(fitted)),
        noise=sampled.graph_noise,
        reporter=reporter,
    )
    monitor = answer_monitor(inputs, sampled, reduction.monitor, reporter)
    graphs = monitor.graphs(fuse=options.fuse)
    forms = runnable_forms(graphs, sampled)
    check_agreement(forms, frames[0], sampled.site_noise.draw(), monitor.calibration.tolerance)
    check_answers(monitor, graphs, inputs, sampled)
    return replace(verified, monitor=monitor, graphs=graphs, reduction=reduction)
