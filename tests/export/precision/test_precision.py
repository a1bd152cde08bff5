# SPDX-License-Identifier: Apache-2.0
"""Monitors of fewer bits from end to end: what ships, what the gate measures, and what it refuses."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from export.anomalies.frame_set import FrameSource
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.cli.export import main
from export.errors import ParityError, UsageError
from export.frames.files import FrameFiles
from export.graphs.monitor_forms import MonitorOutputs, graph_feed
from export.graphs.noise import NoiseSource
from export.pipeline.options import ExportOptions
from export.pipeline.resolve import check_options
from export.precision import reduce as reduction
from export.precision.gate import FRAMES, SHIFTS, GateDecisions, PrecisionGate
from export.precision.int8 import Quantiser
from export.precision.options import FLOAT16, INT8, INT8_TENSORRT, PrecisionLoss, PrecisionOptions
from export.precision.reduce import rank_layers, reduce_precision
from export.reporter import SILENT
from lsood_runtime import OoDMonitor, read_manifest
from lsood_runtime._cli.main import run as lsood
from tests.exported_graphs import network_graph
from tests.networks import HEIGHT, WIDTH

LOOSE = {"max_flips": 0.3, "max_auroc_loss": 0.2, "max_pixel_changes": 0.3}  # random weights decide by a hair


@pytest.fixture(scope="module")
def reduced(export_small: Callable[..., Path]) -> dict[str, Path]:
    return {
        kind: export_small(precision=PrecisionOptions(kind, **LOOSE), fuse=kind == INT8) for kind in (INT8, FLOAT16)
    }


def weights_of(folder: Path, kind: int) -> list[onnx.TensorProto]:
    model = onnx.load(folder / "segmentation.onnx")
    return [
        tensor
        for tensor in model.graph.initializer
        if len(tensor.dims) == 4 and tensor.data_type == kind and "network." in tensor.name
    ]


@pytest.mark.parametrize(("kind", "within"), [(INT8, 0.15), (FLOAT16, 0.01)])
def test_reduced_bundle_scores_near_float32(
    kind: str, within: float, reduced: dict[str, Path], bundle: Path, frames: Path
) -> None:
    files = FrameFiles([frames])
    with OoDMonitor(reduced[kind]) as monitor, OoDMonitor(bundle) as float32:
        assert monitor.manifest.precision.kind == kind
        assert monitor.manifest.precision.frames == 12 * (1 + len(SHIFTS))  # the frames of one fold of five
        assert monitor.self_test().passed
        mirrored = [files[i][:, ::-1] for i in range(16, 24)]  # the density was fitted on the frames themselves
        pairs = [(monitor.assess(frame), float32.assess(frame)) for frame in mirrored]
    spread = np.ptp([right.score for _, right in pairs])
    assert 0 < max(abs(got.score - right.score) for got, right in pairs) < 0.5 * spread
    disagreement = np.mean([np.mean(got.segmentation != right.segmentation) for got, right in pairs])
    assert disagreement < within


def test_reduced_bundle_holds_weights_of_fewer_bits(reduced: dict[str, Path], bundle: Path) -> None:
    assert len(weights_of(reduced[INT8], onnx.TensorProto.INT8)) > 25
    assert len(weights_of(reduced[INT8], onnx.TensorProto.FLOAT)) == 1
    assert len(weights_of(reduced[FLOAT16], onnx.TensorProto.FLOAT16)) > 25
    assert not weights_of(bundle, onnx.TensorProto.INT8)
    float32, int8 = (read_manifest(folder).files["weights.bin"].bytes for folder in (bundle, reduced[INT8]))
    assert int8 < 0.6 * float32  # the rest is the detector's
    assert "int8; against float32" in (reduced[INT8] / "README.md").read_text()


def test_fused_graph_of_a_reduced_bundle_gives_the_same_score(reduced: dict[str, Path], frames: Path) -> None:
    import onnxruntime as ort

    frame = FrameFiles([frames])[0]
    fused = ort.InferenceSession(reduced[INT8] / "monitor.onnx")
    (score,) = fused.run(["score"], graph_feed(frame[None], ()))
    with OoDMonitor(reduced[INT8]) as monitor:
        assert score[0] == pytest.approx(monitor.score(frame), rel=1e-9)


def test_inspect_of_a_reduced_bundle_prints_its_cost(
    reduced: dict[str, Path], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lsood(["inspect", str(reduced[FLOAT16])]) == 0
    assert "fp16; against float32 over 96 frames" in " ".join(capsys.readouterr().out.split())
    assert lsood(["inspect", str(bundle)]) == 0
    assert "against float32" not in " ".join(capsys.readouterr().out.split())


def test_monitor_in_float16_on_the_cpu_logs_a_warning(
    reduced: dict[str, Path], bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lsood_runtime"):
        OoDMonitor(bundle).close()
        OoDMonitor(reduced[INT8]).close()
        assert not caplog.messages
        OoDMonitor(reduced[FLOAT16]).close()
    assert [message for message in caplog.messages if "slower than fp32" in message and "CUDA" in message]


@pytest.mark.parametrize("masks", ["input", pytest.param("fresh", marks=pytest.mark.slow)])
def test_reduced_bundle_with_masks_that_are_not_fixed_passes_its_self_test(
    masks: str, export_small: Callable[..., Path]
) -> None:
    folder = export_small(masks=masks, precision=PrecisionOptions(INT8, **LOOSE))
    with OoDMonitor(folder) as monitor:
        assert monitor.self_test().passed
        assert monitor.manifest.precision.kind == INT8


def test_reduced_bundle_for_tensorrt_passes_its_self_test(export_small: Callable[..., Path]) -> None:
    folder = export_small(precision=PrecisionOptions(INT8_TENSORRT, **LOOSE))
    types = {tensor.data_type for tensor in onnx.load(folder / "segmentation.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert not types & {onnx.TensorProto.UINT8, onnx.TensorProto.INT32}
    assert OoDMonitor(folder).self_test().passed


def test_export_command_above_a_limit_writes_nothing(
    checkpoint: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "monitor"
    command = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(out), "--mc-samples", "8"]
    command += ["--false-alarm-rate", "0.1", "--precision", "fp16", "--max-pixel-changes", "0", "--quiet"]
    assert main(command) == 5
    told = capsys.readouterr().err
    assert "share of pixels of another class" in told
    assert "--max-pixel-changes" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["-0.1", "1.5", "nan"])
def test_export_command_of_a_limit_outside_the_unit_interval_exits_with_2(
    value: str, checkpoint: Path, frames: Path, tmp_path: Path
) -> None:
    command = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(tmp_path / "monitor")]
    assert main([*command, "--precision", "int8", "--max-flips", value]) == 2


def test_check_options_of_torchscript_in_fewer_bits_is_refused(tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "x.ckpt", (), tmp_path, format="torchscript", precision=PrecisionOptions(INT8))
    with pytest.raises(UsageError, match="libtorch"):
        check_options(options)


def test_gate_loss_of_two_decisions_equals_counting(frames: Path) -> None:
    """Shares by hand, and AUROC as the share of pairs in order (Mann and Whitney)."""
    left_out = np.arange(40, 55)
    gate = PrecisionGate(FrameFiles([frames]), left_out, NoiseSource(), 0, SILENT)
    assert len(gate) == 15 * (1 + len(SHIFTS))
    assert gate.sets[0].indices == tuple(left_out)
    rng = np.random.default_rng(0)
    before, after = (
        GateDecisions(
            scores := rng.normal(size=len(gate)) + np.arange(len(gate)) / 60,
            scores > 0.5,
            [rng.integers(0, 3, (4, 5), np.uint8) for _ in range(15)],
        )
        for _ in range(2)
    )

    def auroc(scores: NDArray[np.float64]) -> float:
        sets = scores.reshape(-1, 15)
        return float(np.mean([mannwhitneyu(shift, sets[0]).statistic / 15**2 for shift in sets[1:]]))

    loss = gate.loss(after, before)
    assert loss.frames == len(gate)
    assert loss.flips == pytest.approx(
        sum(a != b for a, b in zip(after.flagged, before.flagged, strict=True)) / len(gate)
    )
    assert loss.auroc_loss == pytest.approx(auroc(before.scores) - auroc(after.scores))
    changed = [a != b for a, b in zip(np.ravel(after.classes), np.ravel(before.classes), strict=True)]
    assert loss.pixel_changes == pytest.approx(np.mean(changed))
    assert gate.loss(before, before) == PrecisionLoss(len(gate), 0.0, 0.0, 0.0)


def test_gate_gives_every_monitor_the_same_frames_and_noise(frames: Path) -> None:
    files = FrameFiles([frames])
    gate = PrecisionGate(files, np.arange(60), NoiseSource([(1,)]), 0, SILENT)
    assert len(gate.sets[0]) == FRAMES
    seen: list[list[tuple[int, float]]] = []

    def ask() -> GateDecisions:
        seen.append([])

        def monitor(batch: NDArray[np.uint8], noise: Any) -> MonitorOutputs:
            seen[-1].append((int(batch.sum()), float(noise[0].item())))
            logits = np.stack([batch[..., 0] > 128, batch[..., 0] <= 128], axis=1).astype(np.float32)
            return {"score": np.array([batch.mean()]), "segmentation": logits}

        return gate.decide(monitor, 100.0)

    first, second = ask(), ask()
    assert seen[0] == seen[1]
    assert len({noise for _, noise in seen[0]}) == len(gate)
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.flagged, first.scores > 100)
    assert len(first.classes) == FRAMES
    np.testing.assert_array_equal(first.classes[0], (files[0][..., 0] <= 128).astype(np.uint8))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_gate_counts_a_score_that_is_not_finite_as_flagged(frames: Path, bad: float) -> None:
    """As float16 gives it where a map overflows; ``NaN > threshold`` would pass for the float32 monitor's decision."""
    gate = PrecisionGate(FrameFiles([frames]), np.arange(60), NoiseSource(), 0, SILENT)

    def decide(score: float) -> GateDecisions:
        return gate.decide(lambda _, __: {"score": np.array([score])}, 100.0)

    sound, broken = decide(0.0), decide(bad)
    assert not sound.flagged.any()
    assert broken.flagged.all()
    assert gate.loss(broken, sound).flips == 1
    assert math.isfinite(gate.loss(broken, sound).auroc_loss)


def quantiser_of(name: str) -> tuple[Quantiser, list[tuple[NDArray[np.uint8], Any]]]:
    rng = np.random.default_rng(0)
    cases: list[tuple[NDArray[np.uint8], Any]] = [
        (rng.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8), ()) for _ in range(3)
    ]
    return Quantiser(network_graph(name, "fixed"), INT8, cases), cases


@pytest.mark.parametrize("by_pixels", [False, True])
def test_rank_layers_with_one_damaged_layer_puts_it_first(by_pixels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "dropout at three depths"
    quantiser, cases = quantiser_of(name)
    hurting = quantiser.layers[-1 if by_pixels else 2]
    only = quantiser.only

    def damaged(layer: str) -> onnx.ModelProto:
        model = only(layer)
        if layer == hurting:
            for tensor in model.graph.initializer:
                if tensor.name.endswith("_quantized") and len(tensor.dims) == 4:
                    values = onnx.numpy_helper.to_array(tensor)
                    tensor.CopyFrom(onnx.numpy_helper.from_array(np.flip(values).copy(), tensor.name))
        return model

    monkeypatch.setattr(quantiser, "only", damaged)
    ranked = rank_layers(quantiser, network_graph(name, "fixed"), cases, 5, by_pixels, SILENT)
    assert ranked[0] == hurting
    assert sorted(ranked) == sorted(quantiser.layers)


class ScriptedGate:
    """Says what a test wants of one monitor after the other."""

    def __init__(self, losses: list[float]) -> None:
        self._losses = iter(losses)

    def decide(self, *_: Any) -> None: ...

    def loss(self, *_: None) -> PrecisionLoss:
        return PrecisionLoss(10, next(self._losses), 0.0, 0.0)


@pytest.mark.parametrize(("losses", "kept"), [([0.0], 0), ([0.5, 0.0], 1), ([0.5, 0.3, 0.02], 2)])
def test_reduce_precision_above_a_limit_puts_the_most_costly_layers_back_in_float(
    losses: list[float], kept: int, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, tried, ranked = run_reduction(losses, frames, monkeypatch)
    assert result.float_layers == tuple(ranked[:kept])
    assert tried == [tuple(ranked[:n]) for n in (0, 1, 2)[: len(losses)]]
    assert result.loss.flips == losses[-1]


def test_reduce_precision_with_half_of_the_layers_in_float_gives_up(
    frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParityError, match=r"with 2 of 5 layers in float: share of frames decided otherwise 0\.5"):
        run_reduction([0.5] * 3, frames, monkeypatch)


def run_reduction(
    losses: list[float], frames: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[Any], list[str]]:
    """The loop around the gate, with everything costly in it replaced."""
    ranked, tried = list("edcba"), []

    class Scripted:
        layers = tuple("abcde")

        def __init__(self, *_: Any) -> None: ...

        def __call__(self, float_layers: Any = ()) -> str:
            tried.append(tuple(float_layers))
            return f"graph without {float_layers}"

    monkeypatch.setattr(reduction, "Quantiser", Scripted)
    monkeypatch.setattr(reduction, "rank_layers", lambda *_: ranked)

    def calibrate(graph: Any) -> CalibratedMonitor:
        points: Any = SimpleNamespace(operating_point="x", points={"x": SimpleNamespace(value=1.0)})
        return CalibratedMonitor(graph, graph, graph, points)

    files = FrameFiles([frames])
    result = reduce_precision(
        calibrate("float32"),
        PrecisionOptions(INT8),
        neighbors=5,
        calibrate=calibrate,
        form=lambda monitor: monitor,  # type: ignore[arg-type, return-value]
        gate=ScriptedGate(losses),  # type: ignore[arg-type]
        fitted=FrameSource("fitted", files, tuple(range(10))),
        noise=NoiseSource(),
        reporter=SILENT,
    )
    return result, tried, ranked
