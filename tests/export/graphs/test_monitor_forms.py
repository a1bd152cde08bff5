# SPDX-License-Identifier: Apache-2.0
"""Other masks, and the forms of a monitor that run without OoDMonitor: the same scores, and weights that lie there once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import export
from export.calibration.options import CalibrationOptions
from export.checkpoint.load import load_checkpoint
from export.data import FrameFiles
from lsood_runtime import BundleError, FrameError, OoDMonitor, read_manifest
from tests.paths import EXAMPLES

EXAMPLE = EXAMPLES / "fused_graph.py"
CROP = (8, 16, 64, 128)


@pytest.fixture(scope="module")
def every_form(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True, format="torchscript", channels="bgr", crop=CROP, resize="refuse")


@pytest.fixture(scope="module")
def noisy(export_small: Callable[..., Path]) -> Path:
    calibration = CalibrationOptions(detector="kde", rates={"10%": 0.1}, standardise=True, pca=4)
    return export_small(fuse=True, format="torchscript", masks="input", calibration=calibration)


@pytest.fixture(scope="module")
def fresh(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True, masks="fresh")


@pytest.fixture(scope="module")
def some(frames: Path) -> NDArray[np.uint8]:
    """A batch of BGR frames."""
    files = FrameFiles([frames], "bgr")
    return np.stack([files[i] for i in (0, 31, 59)])


def test_fused_graph_of_frames_scores_as_the_monitor(every_form: Path, some: NDArray[np.uint8]) -> None:
    session = ort.InferenceSession(every_form / "monitor.onnx")
    assert [output.name for output in session.get_outputs()] == ["score", "segmentation", "parts"]
    together, *_ = session.run(None, {"frame": some})
    with OoDMonitor(every_form) as monitor:
        for b, frame in enumerate(some):
            verdict = monitor.assess(frame)
            score, segmentation, parts = session.run(None, {"frame": frame[None]})
            np.testing.assert_allclose(parts[0], list(verdict.parts.values()), atol=1e-5)
            assert abs(score[0] - verdict.score) < 1e-5
            assert abs(together[b] - verdict.score) < 1e-3 * max(1, abs(verdict.score))
            np.testing.assert_array_equal(segmentation[0], verdict.segmentation)


def test_example_of_the_fused_graph_of_frames_prints_the_monitors_scores(every_form: Path, frames: Path) -> None:
    paths = [frames / "0000.png", frames / "0031.png"]
    assert len(EXAMPLE.read_text().splitlines()) < 30
    words = [sys.executable, *map(str, [EXAMPLE, every_form / "monitor.onnx", *paths])]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    with OoDMonitor(every_form) as monitor:
        for line, path in zip(printed, paths, strict=True):
            name, score, verdict = line.split("\t")
            assessed = monitor.assess(FrameFiles([path], "bgr")[0])
            assert (name, verdict == "ok") == (str(path), not assessed.is_ood)
            assert float(score) == pytest.approx(assessed.score, abs=1e-5)


def test_example_of_the_fused_graph_of_a_16_bit_image_refuses_it(every_form: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((80, 160), np.uint16)).save(tmp_path / "deep.png")
    words = [sys.executable, str(EXAMPLE), str(every_form / "monitor.onnx"), str(tmp_path / "deep.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expected an image of 8 bits a channel" in done.stderr


def test_torchscript_of_frames_scores_as_the_monitor(every_form: Path, some: NDArray[np.uint8]) -> None:
    module = torch.jit.load(every_form / "monitor.pt")  # type: ignore[no-untyped-call]
    for batch in (some[:1], some):
        scores, segmentation, parts = module(torch.from_numpy(batch))
        with OoDMonitor(every_form) as monitor:
            verdicts = [monitor.assess(frame) for frame in batch]
        np.testing.assert_allclose(scores, [verdict.score for verdict in verdicts], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(parts, [list(verdict.parts.values()) for verdict in verdicts], rtol=1e-3, atol=1e-3)
        for classes, verdict in zip(segmentation.numpy(), verdicts, strict=True):
            assert (classes == verdict.segmentation).mean() > 0.999


def test_bundle_of_every_form_stores_weights_once(every_form: Path, checkpoint: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in every_form.iterdir()}
    network = sum(weight.numel() * weight.element_size() for weight in load_checkpoint(checkpoint).network.parameters())
    graphs = [name for name in sizes if name.endswith(".onnx")]
    assert len(graphs) == 4
    for name in graphs:
        tensors = onnx.load(every_form / name, load_external_data=False).graph.initializer
        assert all(tensor.ByteSize() < 2048 for tensor in tensors)
    assert (
        0.7 * network < sizes["weights.bin"] < 1.3 * network
    )  # small tensors stay in the graphs; masks and frames join
    external = [
        tuple(entry.value for entry in tensor.external_data if entry.key in ("offset", "length"))
        for name in graphs
        for tensor in onnx.load(every_form / name, load_external_data=False).graph.initializer
        if tensor.external_data
    ]
    assert len(set(external)) < 0.6 * len(external)


def test_bundle_with_changed_weights_is_refused(every_form: Path, tmp_path: Path) -> None:
    copy = tmp_path / "monitor"
    copy.mkdir()
    for path in every_form.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    OoDMonitor(copy).close()
    weights = bytearray((copy / "weights.bin").read_bytes())
    weights[1000] ^= 1
    (copy / "weights.bin").write_bytes(weights)
    with pytest.raises(BundleError, match=r"weights\.bin with sha256"):
        OoDMonitor(copy)


def test_bundle_of_every_form_holds_no_path_of_the_machine(every_form: Path) -> None:
    here = str(Path(export.__file__).parent).encode()
    for name in ("segmentation.onnx", "detector.onnx", "monitor.onnx"):
        assert here not in (every_form / name).read_bytes()


def test_score_with_noise_as_input_depends_on_the_noise(noisy: Path, frames: Path) -> None:
    frame, masks = FrameFiles([frames])[3], read_manifest(noisy).masks
    assert masks.noise == ((4, 8),)
    generator = np.random.default_rng(5)
    first, second = ([generator.random((masks.count, 4, 8), dtype=np.float32)] for _ in range(2))
    fused = ort.InferenceSession(noisy / "monitor.onnx")
    traced = torch.jit.load(noisy / "monitor.pt")  # type: ignore[no-untyped-call]
    with OoDMonitor(noisy) as monitor, OoDMonitor(noisy) as other:
        assert monitor.score(frame, first) == monitor.score(frame, first) == other.score(frame, first)
        assert monitor.score(frame, first) != monitor.score(frame, second)
        (score,) = fused.run(["score"], {"frame": frame[None], "noise_0": first[0][None]})
        assert score[0] == pytest.approx(monitor.score(frame, first), abs=1e-5)
        (score, _) = traced(torch.from_numpy(frame.copy())[None], torch.from_numpy(first[0])[None])
        assert score[0] == pytest.approx(monitor.score(frame, first), rel=1e-3)
        drawn = [monitor.score(frame) for _ in range(3)]
        assert drawn == [other.score(frame) for _ in range(3)]
        assert len(set(drawn)) == 3
        assert monitor.assess(frame, first).score == monitor.score(frame, first)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ([], "expected 1 noise arrays, got 0"),
        ([np.zeros((8, 4, 8))], "float32, got .* float64"),
        ([np.zeros((7, 4, 8), np.float32)], r"noise 0 to be \(8, 4, 8\)"),
        ([np.ones((8, 4, 8), np.float32)], r"in \[0, 1\)"),
        ([np.full((8, 4, 8), np.nan, np.float32)], r"in \[0, 1\)"),
        (["noise"], "got str"),
    ],
)
def test_score_with_wrong_noise_is_refused(
    noisy: Path, frames: Path, noise: list[NDArray[np.float32]], message: str
) -> None:
    with OoDMonitor(noisy) as monitor, pytest.raises(FrameError, match=message):
        monitor.score(FrameFiles([frames])[0], noise)


def test_score_of_fixed_masks_with_noise_is_refused(bundle: Path, frames: Path) -> None:
    with OoDMonitor(bundle) as monitor, pytest.raises(FrameError, match="masks are fixed"):
        monitor.score(FrameFiles([frames])[0], [np.zeros((8, 4, 8), np.float32)])


def test_score_of_fresh_masks_differs_by_frame_and_repeats_by_seed(fresh: Path, frames: Path) -> None:
    frame = FrameFiles([frames])[3]
    manifest = read_manifest(fresh)
    assert (manifest.masks.mode, manifest.masks.sha256, manifest.masks.noise) == ("fresh", None, ())
    assert manifest.golden.tolerance["cpu"] > read_manifest(fresh).parity.score_max_abs
    with OoDMonitor(fresh, self_test=False) as monitor, OoDMonitor(fresh, self_test=False) as other:
        scores = [monitor.score(frame) for _ in range(5)]
        assert len(set(scores)) == 5
        assert scores == [other.score(frame) for _ in range(5)]
    fused = ort.InferenceSession(fresh / "monitor.onnx")
    assert fused.run(["score"], {"frame": frame[None]})[0][0] != fused.run(["score"], {"frame": frame[None]})[0][0]
    for _ in range(3):
        OoDMonitor(fresh).close()  # the golden frames are scored with masks of their own each time
