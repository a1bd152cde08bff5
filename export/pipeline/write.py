# SPDX-License-Identifier: Apache-2.0
"""Stage ``write``: write golden frames, manifest and graphs to a folder, atomically."""

import hashlib

import numpy as np

from export.atomic_write import atomic_folder
from export.bundle.golden import save_golden_frames, score_golden_frames
from export.bundle.writer import write_bundle
from export.graphs.monitor_forms import cpu_session, two_graphs
from export.graphs.torchscript import TORCHSCRIPT_FILE
from export.pipeline.manifest import new_manifest, precision_record
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.pipeline.unseen_frames import unseen_frames
from export.pipeline.verify import VerifiedMonitor
from lsood_runtime import Manifest
from lsood_runtime.offline import TOLERANCE_SHARES, pixel_tolerance

GOLDEN_COUNT = 3


def write_monitor(inputs: ExportInputs, sampled: SampledNetwork, verified: VerifiedMonitor) -> Manifest:
    """Write the bundle and give its manifest."""
    monitor = verified.monitor
    frames = np.stack(list(unseen_frames(inputs.frames, inputs.split, GOLDEN_COUNT)))
    precision = precision_record(inputs.options.precision.kind, verified.reduction)
    golden = score_golden_frames(
        two_graphs(cpu_session(monitor.segmentation, keep_memory=False), cpu_session(monitor.detector)),
        frames,
        sampled.graph_noise.draw(len(frames)),
        mode=sampled.sampler.mode,
        scores=monitor.calibration.scores,
        pixel_changes={kind: pixel_tolerance(verified.parity, precision, kind) for kind in TOLERANCE_SHARES},
        answers=None if monitor.answers is None else monitor.answers.record,
    )
    network = monitor.evaluation.graph.SerializeToString(deterministic=True)
    manifest = new_manifest(
        inputs=inputs,
        sampled=sampled,
        verified=verified,
        golden=golden,
        network_sha256=hashlib.sha256(network).hexdigest(),
    )
    with atomic_folder(inputs.options.out, replace=inputs.options.overwrite) as folder:
        save_golden_frames(folder, golden)
        if verified.traced is not None:
            verified.traced.save(str(folder / TORCHSCRIPT_FILE))
        return write_bundle(folder, manifest, verified.graphs)
