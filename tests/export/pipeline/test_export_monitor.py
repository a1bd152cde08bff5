# SPDX-License-Identifier: Apache-2.0
"""The exporter from end to end: what the bundle computes, what is refused, and what is left on disk."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.special import logsumexp

from export.calibration.options import CalibrationOptions
from export.cli.export import main
from export.data import FrameFiles, read_frame
from export.detectors.fit import fit_detector
from export.layers.dropblock import block_masks
from export.pipeline import verify
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from export.sampling.reference_passes import sample_passes
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import INPUT_SIZE, save_checkpoint, small_network, write_scenes
from tests.kozachenko_leonenko import entropy_by_tree


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def run_graph(bundle: Path, name: str, feed: dict[str, Any]) -> dict[str, NDArray[Any]]:
    session = ort.InferenceSession(bundle / name)
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feed), strict=True))


@pytest.fixture(scope="session")
def kde_bundle(export_small: Callable[..., Path]) -> Path:
    """A bundle with the guide's detector: a kernel density of the entropies."""
    return export_small(calibration=CalibrationOptions(detector="kde", rates={"10%": 0.1}))


def test_export_monitor_scores_equal_the_method_computed_by_hand(kde_bundle: Path, frames: Path) -> None:
    """Masks, means, entropies and density, each written out here once more with other tools."""
    bundle = kde_bundle
    manifest = read_manifest(bundle)
    assert manifest.masks.block_size is not None
    frame = FrameFiles([frames])[7]
    got = run_graph(bundle, "segmentation.onnx", {"frame": frame[None]})

    # Masks: NumPy's uniforms through block_masks, drawn again where they drop nothing, everything, or repeat.
    generator = np.random.Generator(np.random.PCG64(manifest.masks.seed))
    masks: list[NDArray[np.float32]] = []
    while len(masks) < manifest.masks.count:
        uniform = torch.from_numpy(generator.random((4, 8), dtype=np.float32))[None]
        mask = block_masks(uniform, manifest.masks.drop_prob, manifest.masks.block_size)[0].numpy()
        if 0 < mask.sum() < mask.size and not any((mask == other).all() for other in masks):
            masks.append(mask)

    image = np.asarray(Image.fromarray(frame).resize(INPUT_SIZE[::-1], Image.Resampling.BILINEAR), np.float32) / 255
    image = ((image - manifest.input.mean) / manifest.input.std).transpose(2, 0, 1).astype(np.float32)
    network, features = small_network().eval(), []
    network.deeplab_v3plus_model.drop_block1.register_forward_hook(lambda *args: features.append(args[2]))
    with torch.inference_mode():
        logits = network(torch.from_numpy(image)[None])
    feature = features[0][0].numpy()
    samples = np.stack([(feature * mask).sum(axis=(1, 2)) / mask.sum() for mask in masks])
    np.testing.assert_allclose(
        got["latent_samples"][0], samples, atol=2e-2
    )  # Pillow rounds the resized frame to integers
    assert (got["segmentation"][0] == logits[0].argmax(0).numpy()).mean() > 0.98

    samples = got["latent_samples"][0].astype(np.float64)
    entropy = np.array([entropy_by_tree(samples[:, c], 5, 1e-5) for c in range(samples.shape[1])])
    scored = run_graph(bundle, "detector.onnx", {"latent_samples": got["latent_samples"]})
    np.testing.assert_allclose(scored["entropy"][0], entropy, atol=2e-5)

    all_frames = FrameFiles([frames])
    points = np.stack([entropy_of(bundle, all_frames[i]) for i in range(60)]).astype(np.float64)
    bandwidth = manifest.detector.parameters["bandwidth"]
    squared = ((points - scored["entropy"][0].astype(np.float64)) ** 2).sum(axis=1)
    constant = np.log(len(points)) + points.shape[1] / 2 * np.log(2 * np.pi * bandwidth**2)
    np.testing.assert_allclose(scored["score"][0], constant - logsumexp(-squared / (2 * bandwidth**2)), rtol=1e-9)
    assert OoDMonitor(bundle).score(frame) == scored["score"][0]


def entropy_of(bundle: Path, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    samples = run_graph(bundle, "segmentation.onnx", {"frame": frame[None]})["latent_samples"]
    entropy: NDArray[np.float32] = run_graph(bundle, "detector.onnx", {"latent_samples": samples})["entropy"][0]
    return entropy


def test_export_monitor_threshold_holds_the_rate_on_frames_left_out_of_the_fit(kde_bundle: Path, frames: Path) -> None:
    bundle = kde_bundle
    manifest = read_manifest(bundle)
    scores = np.array(manifest.calibration.scores)
    assert len(scores) == 60
    assert (scores > manifest.threshold.value).sum() <= 0.1 * 61
    all_frames = FrameFiles([frames])
    entropies = np.stack([entropy_of(bundle, all_frames[i]) for i in range(60)]).astype(np.float64)
    again = [
        -fit_detector("kde", np.delete(entropies, block, axis=0)).score_samples(entropies[block])
        for block in np.arange(60).reshape(5, 12)
    ]
    np.testing.assert_allclose(np.sort(np.concatenate(again)), scores, rtol=1e-9)


def test_segmentation_graph_of_a_batch_equals_single_frames(bundle: Path, frames: Path) -> None:
    batch = np.stack([FrameFiles([frames])[i] for i in (3, 30, 55)])
    together = run_graph(bundle, "segmentation.onnx", {"frame": batch})
    for b, frame in enumerate(batch):
        alone = run_graph(bundle, "segmentation.onnx", {"frame": frame[None]})
        np.testing.assert_allclose(together["latent_samples"][b], alone["latent_samples"][0], atol=1e-6)
        assert (together["segmentation"][b] == alone["segmentation"][0]).mean() > 0.999


def test_export_monitor_repeated_gives_the_same_scores(
    export_small: Callable[..., Path],
    bundle: Path,
    frames: Path,
    own_conversions: None,
    tmp_path: Path,
) -> None:
    frame = FrameFiles([frames])[0]
    again = export_small(out=tmp_path / "again")
    assert OoDMonitor(again).score(frame) == OoDMonitor(bundle).score(frame)
    assert read_manifest(again).masks.sha256 == read_manifest(bundle).masks.sha256


def test_plan_export_of_a_seed_draws_the_masks_of_an_export_of_that_seed(
    bundle: Path, checkpoint: Path, frames: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        plan = plan_export(ExportOptions(checkpoint, (frames,), tmp_path / "other", mc_samples=8, seed=seed))
        _, sampled = plan.ready()
        assert (sampled.sampler.sha256 == read_manifest(bundle).masks.sha256) == (seed == 0)


@pytest.mark.parametrize("kind", ["logits", "none"])
def test_export_monitor_of_another_segmentation_gives_it_and_the_same_score(
    export_small: Callable[..., Path], kde_bundle: Path, frames: Path, kind: str
) -> None:
    bundle = kde_bundle
    other = export_small(segmentation=kind, calibration=CalibrationOptions(detector="kde", rates={"10%": 0.1}))
    frame = FrameFiles([frames])[0]
    verdict, classes = OoDMonitor(other).assess(frame), OoDMonitor(bundle).assess(frame)
    assert verdict.score == pytest.approx(classes.score, abs=1e-3)
    if kind == "none":
        assert verdict.segmentation is None
        convolutions = [
            [node.op_type for node in onnx.load(folder / "segmentation.onnx").graph.node].count("Conv")
            for folder in (other, bundle)
        ]
        assert convolutions[0] < convolutions[1]
    else:
        assert verdict.segmentation is not None
        assert verdict.segmentation.shape == (8, *INPUT_SIZE)
        np.testing.assert_array_equal(verdict.segmentation.argmax(0), classes.segmentation)


def test_graph_metadata_equals_the_manifest_without_files_and_evaluation(bundle: Path) -> None:
    whole = json.loads((bundle / "manifest.json").read_text())
    for name in ("segmentation.onnx", "detector.onnx"):
        carried = {prop.key: prop.value for prop in onnx.load(bundle / name).metadata_props}["lsood_manifest"]
        assert json.loads(carried) == {key: value for key, value in whole.items() if key not in ("files", "evaluation")}


def test_model_card_of_an_export_states_its_figures(bundle: Path) -> None:
    card = (bundle / "README.md").read_text()
    manifest = read_manifest(bundle)
    assert card.startswith("---\nlibrary_name: lsood-runtime\n")
    assert manifest.config["license"] is None
    for figure in (
        f"{manifest.threshold.value:.3f}",
        "10.0% of frames",
        "8 fixed",
        "60 frames was scored by a detector",
    ):
        assert figure in card


def test_export_command_prints_the_next_command_and_it_runs(
    checkpoint: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my monitor"
    arguments = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(out), "--mc-samples", "8"]
    assert main([*arguments, "--false-alarm-rate", "0.1", "--detector", "kde", "--pca", "4"]) == 0
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    command = printed.out.strip().splitlines()[-1].removeprefix("next: python ")
    assert read_manifest(out).detector.pca_components == 4
    done = subprocess.run([sys.executable, *shlex.split(command)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "0059.png" in done.stdout


def test_export_command_when_quiet_prints_nothing(
    checkpoint: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(tmp_path / "m"), "--mc-samples", "8"]
    assert main([*arguments, "--false-alarm-rate", "0.1", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, frames: Path) -> Path:
    """A folder of things that are wrong, beside things that are right."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "empty").mkdir()
    write_scenes(folder / "few", 4, seed=2)
    (folder / "text").mkdir()
    (folder / "text" / "frame.png").write_text("hello")
    write_scenes(folder / "mixed", 40, seed=2)
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(folder / "mixed" / "0005.png")
    (folder / "still").mkdir()
    for i in range(60):
        Image.fromarray(read_frame(frames / "0000.png")).save(folder / "still" / f"{i:02d}.png")
    (folder / "cut.ckpt").write_bytes(checkpoint.read_bytes()[:5000])
    options = {k: v for k, v in small_network().hparams.items() if k not in ("drop_prob", "block_size")}
    save_checkpoint(small_network(), folder / "guide.ckpt", **options)
    save_checkpoint(small_network(), folder / "no_mean.ckpt", **{k: v for k, v in options.items() if k != "mean"})
    save_checkpoint(
        small_network(deeplabv3plus_type="normal"),
        folder / "normal.ckpt",
        **(options | {"deeplabv3plus_type": "normal", "drop_prob": 0.5, "block_size": 2}),
    )
    (folder / "precious").mkdir()
    (folder / "precious" / "notes").write_text("keep me")
    return folder


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ({"--ckpt": "missing.ckpt"}, 3, "found none at"),
        ({"--ckpt": "cut.ckpt"}, 3, "cut off"),
        ({"--ckpt": "normal.ckpt", "--tap": "nowhere"}, 3, "name of a layer"),
        ({"--ckpt": "guide.ckpt"}, 2, "--drop-prob and --block-size"),
        ({"--ckpt": "no_mean.ckpt"}, 2, "--mean and --std"),
        ({"--frames": "missing"}, 2, "found nothing"),
        ({"--frames": "empty"}, 2, "found none"),
        ({"--frames": "text"}, 2, "cannot read"),
        ({"--frames": "mixed"}, 2, "got 10 x 20 in 0005.png"),
        ({"--frames": "few"}, 6, "at least"),
        ({"--frames": "still"}, 2, "has the pixels of"),
        ({"--mc-samples": "5"}, 2, "S = 5 and k = 5"),
        ({"--neighbors": "0"}, 2, "--neighbors of at least 1"),
        ({"--false-alarm-rate": "0.001"}, 6, "at least 999"),
        ({"--false-alarm-rate": "2"}, 2, "between 0 and 1"),
        ({"--drop-prob": "1.5"}, 2, "(0, 1)"),
        ({"--drop-prob": "0.01"}, 3, "drop nothing"),
        ({"--std": "0 1 1"}, 2, "above zero"),
        ({"--detector": "kde", "--pca": "1000"}, 6, "PCA components"),
        ({"--detector": "kde", "--pca": "40"}, 6, "at most 32 PCA components, as many as entropies"),
        ({"--train-frames": "nowhere"}, 2, "found nothing at nowhere"),
        ({"--answers": "map", "--road-class": "-1"}, 2, "--road-class of at least 0"),
        ({"--answers": "tiles", "--tile-grid": "-1 8"}, 2, "--tile-grid of at least 1"),
        ({"--input-size": "0 128"}, 2, "--input-size of at least 1"),
        ({"--seed": "-1"}, 2, "--seed of at least 0"),
        ({"--crop": "20 0 64 128"}, 2, "got rows 20 to 84"),
        ({"--crop": "0 0 0 128"}, 2, "starts inside the frame"),
        ({"--resize": "refuse"}, 2, "input size 64 x 128 (height x width), got 80 x 160"),
        ({"--format": "torchscript", "--masks": "fresh"}, 2, "fixed or input"),
        ({"--format": "torchscript", "--detector": "auto"}, 2, "output-score with --format torchscript, got auto"),
        ({"--detector": "kde-classifier"}, 2, "expected --ood-frames"),
        ({"--guarantee": "drives"}, 6, "at least 9 drives"),
        ({"--group-by": "nowhere.csv"}, 2, "to group by"),
        ({"--threshold-drives": "noon"}, 6, "got noon"),
        ({"--out": "precious"}, 2, "--overwrite"),
        ({"--out": "precious", "--overwrite": ""}, 2, "something else"),
        ({"--out": "no/parent"}, 2, "to exist"),
    ],
)
def test_export_command_of_wrong_input_prints_one_line_and_writes_nothing(
    flags: dict[str, str],
    code: int,
    message: str,
    wrong: Path,
    checkpoint: Path,
    frames: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(wrong)
    before = {path: path.stat().st_mtime_ns for path in wrong.rglob("*")}
    chosen = {"--ckpt": str(checkpoint), "--frames": str(frames), "--out": "monitor", "--mc-samples": "8"}
    chosen |= {"--false-alarm-rate": "0.1"} | flags
    arguments = [word for flag, value in chosen.items() for word in (flag, *value.split())]
    assert main(arguments) == code
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("export: error:")]
    assert len(errors) == 1
    assert printed.err.rstrip().endswith(errors[0])
    assert message in errors[0]
    assert "Traceback" not in printed.err + printed.out
    assert {path: path.stat().st_mtime_ns for path in wrong.rglob("*")} == before


def test_export_command_of_an_unknown_flag_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--chkpt", "x"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "did you mean --ckpt? (see python -m export --help)" in line


def test_export_command_of_a_graph_that_disagrees_writes_no_bundle(
    checkpoint: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network changes behind the graph's back, as a converter's fault would change it."""
    true_reference = sample_passes

    def disturbed(*args: Any) -> torch.Tensor:
        return true_reference(*args) * 1.001

    monkeypatch.setattr(verify, "sample_passes", disturbed)
    arguments = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(tmp_path / "m"), "--mc-samples", "8"]
    assert main([*arguments, "--false-alarm-rate", "0.1"]) == 5
    assert "latent samples" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_export_command_with_a_classifier_writes_detector_and_operating_points(
    checkpoint: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ood = tmp_path / "ood"
    ood.mkdir()
    for i, frame in enumerate(list(FrameFiles([frames]))[:25]):
        Image.fromarray(frame // 8).save(ood / f"{i:02d}.png")
    arguments = ["--ckpt", str(checkpoint), "--frames", str(frames), "--out", str(tmp_path / "m"), "--mc-samples", "8"]
    more = ["--detector", "kde-classifier", "--ood-frames", str(ood), "--false-alarm-rate", "0.1", "loose=0.3"]
    assert main([*arguments, *more, "--train-frames", str(frames)]) == 0
    out = capsys.readouterr().out
    assert "threshold loose" in out
    assert "look like frames that the network was trained on" in " ".join(out.replace("│", " ").split())
    manifest = read_manifest(tmp_path / "m")
    assert (manifest.detector.kind, manifest.detector.fit_ood_frames) == ("kde-classifier", 25)
    assert manifest.config["calibration"]["ood_frames"] == [str(ood)]
    with OoDMonitor(tmp_path / "m") as usual, OoDMonitor(tmp_path / "m", operating_point="loose") as loose:
        assert loose.threshold < usual.threshold
        assert usual.assess(FrameFiles([ood])[0]).is_ood
