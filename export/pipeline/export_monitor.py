# SPDX-License-Identifier: Apache-2.0
"""The offline stage from end to end: checkpoint -> tap -> graph -> entropy -> detector -> calibration -> parity -> bundle."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import torch
from onnx import ModelProto

from export.anomalies.frame_set import FrameSource
from export.atomic_write import atomic_folder
from export.bundle.golden import GOLDEN_DRAWS, golden_frames
from export.bundle.parity import Reference, check_agreement, check_parity, measure_parity
from export.bundle.writer import check_destination, write_bundle
from export.calibration.calibrate import split_frames
from export.calibration.calibrator import CalibratedMonitor, Calibrator
from export.checkpoint.load import load_checkpoint
from export.checkpoint.probe import check_logits, run_once
from export.detectors.registry import detector_spec
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.graphs.evaluation import EVALUATION
from export.graphs.fused import fused_graph
from export.graphs.noise import NoiseSource, expose_noise, seed_noise
from export.graphs.runners import Form, cpu_session, one_graph, two_graphs
from export.graphs.segmentation import EvaluatedNetwork, MonitoredNetwork, segmentation_graph
from export.graphs.torchscript import TorchMonitor, trace_monitor, traced_module
from export.pipeline.manifest import bundle_manifest
from export.pipeline.options import ExportOptions
from export.pipeline.resolve import check_options, resolve_drop_block, resolve_preprocessing
from export.precision.gate import PrecisionGate
from export.precision.options import FLOAT32
from export.precision.reduce import reduce_precision
from export.reporter import SILENT, Reporter
from export.sampling.mask_mode import Mode
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from export.sampling.taps import resolve_taps
from lsood_runtime import Manifest
from lsood_runtime.offline import ParityRecord

__all__ = ["ExportOptions", "ExportResult", "export_monitor"]

PARITY_FRAMES = 8
GOLDEN_FRAMES = 3


@dataclass(frozen=True)
class ExportResult:
    """What was written: the bundle's manifest, and how closely its graphs follow PyTorch."""

    manifest: Manifest
    parity: ParityRecord


def export_monitor(
    options: ExportOptions,
    reporter: Reporter = SILENT,
) -> ExportResult:
    """Turn a checkpoint into a bundle at ``options.out``.

    Args:
        options: what to export.
        reporter: told each stage as it begins, and how far the loops over frames have come.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
    """
    check_destination(options.out, options.overwrite)
    check_options(options)
    reporter.stage(f"reading {options.ckpt}")
    checkpoint = load_checkpoint(options.ckpt, options.model, options.model_args, trust=options.trust_checkpoint)
    frames = FrameFiles(options.frames, options.channels)
    drives, held_out = split_frames(frames.paths, options.calibration)
    ood = FrameFiles(options.calibration.ood_frames, options.channels) if options.calibration.ood_frames else None
    preprocessing = resolve_preprocessing(options, checkpoint, frames)
    drop_prob, block_size = resolve_drop_block(options, checkpoint)

    reporter.stage("sampling the tap and converting to ONNX")
    example = preprocessing(torch.from_numpy(np.array(frames[0]))[None])
    taps = resolve_taps(checkpoint.network, options.tap)
    logits = check_logits(run_once(checkpoint.network, example), options.segmentation)
    sampler = build_sampler(
        checkpoint.network,
        example,
        taps,
        mc_samples=options.mc_samples,
        seed=options.seed,
        mode=options.masks,
        drop_prob=drop_prob,
        block_size=block_size,
        with_output=logits is not None,
        force=options.force,
    )
    site_noise = NoiseSource(
        [site.noise_shape for site in sampler.sites] if sampler.mode != "fixed" else [], sampler.samples, options.seed
    )
    graph_noise = site_noise if sampler.mode == "input" else NoiseSource()
    height, width = frames.shape[:2]
    evaluation = segmentation_graph(
        EvaluatedNetwork(preprocessing, sampler.observed, options.segmentation), height, width, graph_noise
    )
    seed_noise(evaluation, options.seed)
    network = MonitoredNetwork(preprocessing, sampler.module, options.segmentation)
    calibrator = Calibrator(
        frames,
        drives,
        held_out,
        ood,
        options.calibration,
        check_overlap(frames, options.calibration.train_frames, options.calibration.group_by, reporter),
        network.outputs,
        (sampler.samples, sampler.channels),
        options.neighbors,
        graph_noise,
        reporter,
    )
    reporter.stage("fitting detector and thresholds")
    monitor = calibrator(evaluation)
    traced = None
    if options.format == "torchscript":
        reporter.stage("tracing to TorchScript")
        spec = detector_spec(monitor.calibration.kind)
        module = TorchMonitor(network, monitor.calibration.detector, spec, sampler.samples, options.neighbors).eval()
        batch = torch.from_numpy(np.stack([frames[0], frames[0]]))
        noise = graph_noise.draw(2)
        traced = trace_monitor(module, [batch, *map(torch.from_numpy, noise)])

    reference = Reference(
        preprocessing,
        checkpoint.network,
        lambda images, noise: sample_passes(checkpoint.network, images, sampler, noise),
        monitor.calibration.detector,
        options.neighbors,
        options.segmentation,
    )
    spread_over_drive = np.linspace(0, len(frames) - 1, min(PARITY_FRAMES, len(frames))).round().astype(int)
    chosen = reporter.progress(
        (frames[int(i)] for i in spread_over_drive), "comparing with PyTorch", len(spread_over_drive)
    )
    graphs = _graphs(monitor, options.fuse)

    parity = measure_parity(reference, _forms(graphs, traced, sampler.mode, site_noise), chosen, site_noise)
    check_parity(parity, options.segmentation, monitor.calibration.tolerance)

    reduction = None
    if options.precision.kind != FLOAT32:
        fitted = np.delete(np.arange(len(frames)), held_out).tolist()
        reduction = reduce_precision(
            monitor,
            options.precision,
            options.neighbors,
            calibrator,
            lambda each: _forms(_graphs(each), None, sampler.mode, site_noise)[0],
            PrecisionGate(frames, held_out, site_noise, options.seed, reporter),
            FrameSource("fitted", frames, tuple(fitted)),
            graph_noise,
            reporter,
        )
        monitor = reduction.monitor
        graphs = _graphs(monitor, options.fuse)
        check_agreement(
            _forms(graphs, None, sampler.mode, site_noise),
            frames[0],
            site_noise.draw(),
            monitor.calibration.tolerance,
        )

    reporter.stage(f"writing {options.out}")
    shown = held_out[np.linspace(0, len(held_out) - 1, GOLDEN_FRAMES, dtype=int)]
    golden, spread = golden_frames(
        two_graphs(cpu_session(monitor.segmentation), cpu_session(monitor.detector)),
        np.stack([frames[int(i)] for i in shown]),
        graph_noise.draw(len(shown)),
        GOLDEN_DRAWS if sampler.mode == "fresh" else 1,
    )
    digest = hashlib.sha256(monitor.segmentation.graph.SerializeToString(deterministic=True)).hexdigest()
    described = bundle_manifest(
        options=options,
        checkpoint=checkpoint,
        preprocessing=preprocessing,
        sampler=sampler,
        logits=logits,
        calibration=monitor.calibration,
        parity=parity,
        reduction=reduction,
        frames=frames,
        chance=spread,
        network_sha256=digest,
    )
    with atomic_folder(options.out) as folder:
        np.savez_compressed(folder / "golden.npz", **golden)
        if traced is not None:
            traced.save(str(folder / "monitor.pt"))
        manifest = write_bundle(folder, described, graphs)
    return ExportResult(manifest, parity)


def _graphs(monitor: CalibratedMonitor, fuse: bool = False) -> dict[str, ModelProto]:
    graphs = {
        "segmentation.onnx": monitor.segmentation,
        "detector.onnx": monitor.detector,
        EVALUATION: monitor.evaluation,
    }
    if fuse:
        graphs["monitor.onnx"] = fused_graph(monitor.segmentation, monitor.detector)
    return graphs


def _forms(
    graphs: Mapping[str, ModelProto],
    traced: torch.jit.ScriptModule | None,
    mode: Mode,
    noise: NoiseSource,
) -> list[Form]:
    """Everything that is written, with the noise that it draws let in from outside."""

    def session(name: str) -> ort.InferenceSession:
        graph = graphs[name]
        fresh = mode == "fresh" and name != "detector.onnx"
        return cpu_session(expose_noise(graph, noise) if fresh else graph)

    forms = [two_graphs(session("segmentation.onnx"), session("detector.onnx"))]
    if "monitor.onnx" in graphs:
        forms.append(one_graph(session("monitor.onnx")))
    if traced is not None:
        names = [output.name for output in graphs["segmentation.onnx"].graph.output if output.name == "segmentation"]
        forms.append(traced_module(traced, ["score", *names]))
    return forms
