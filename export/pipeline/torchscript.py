# SPDX-License-Identifier: Apache-2.0
"""Trace the calibrated monitor to TorchScript, where the options ask for it."""

import numpy as np
import torch

from export.calibration.calibrated_monitor import CalibratedMonitor
from export.graphs.torchscript import TorchMonitor, trace_monitor
from export.pipeline.convert import monitored_network
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


def trace_torchscript(
    inputs: ExportInputs,
    sampled: SampledNetwork,
    monitor: CalibratedMonitor,
    reporter: Reporter,
) -> torch.jit.ScriptModule | None:
    """Trace network and detector together; None where the options ask for ONNX alone.

    Raises:
        ConversionError: the tracer cannot follow the network.
    """
    options, calibration = inputs.options, monitor.calibration
    if options.format != "torchscript":
        return None
    reporter.stage("tracing to TorchScript")
    network = monitored_network(inputs, sampled, calibration.detector.keys)
    module = TorchMonitor(network, calibration.detector, sampled.sampler.samples, options.neighbors).eval()
    frames = torch.from_numpy(np.stack([inputs.frames[0], inputs.frames[0]]))
    noise = map(torch.from_numpy, sampled.graph_noise.draw(len(frames)))
    return trace_monitor(module, [frames, *noise])
