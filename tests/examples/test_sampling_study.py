# SPDX-License-Identifier: Apache-2.0
"""The example that puts Monte-Carlo sampling beside the moments of the same layer: what it reads, figures and refusals."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.checkpoint.load import load_checkpoint
from export.layers.preprocessing import Preprocessing
from tests.conftest import FRAME_SIZE, INPUT_SIZE, save_checkpoint, small_network, write_scenes
from tests.kozachenko_leonenko import entropy_by_tree
from tests.paths import EXAMPLES

TAP = "deeplab_v3plus_model.drop_block1"
COUNTS = (2, 4, 12)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def import_example() -> Iterator[Callable[[str], ModuleType]]:
    """Imports modules of the examples as a script among them does."""
    names = ("sampling_features", "sampling_study", "dropout_unet", "train_unet")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield importlib.import_module
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of six drives of four frames to fit, and of three to judge."""
    root = tmp_path_factory.mktemp("scenes")
    for name, count, seed in (("fit", 24, 1), ("judge", 12, 2)):
        for i, path in enumerate(sorted(write_scenes(root / name, count, seed).iterdir())):
            path.rename(path.with_name(f"{name}{i // 4}_{path.name}"))
    return root


def test_layer_reader_of_a_tap_reads_what_numpy_makes_of_its_map(
    import_example: Callable[[str], ModuleType],
) -> None:
    features = import_example("sampling_features")
    network = small_network(block_size=2).eval()
    maps: list[torch.Tensor] = []
    network.get_submodule(TAP).register_forward_hook(lambda *call: maps.append(call[2]))
    preprocessing = Preprocessing(*INPUT_SIZE, MEAN, STD)
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME_SIZE, 3), np.uint8)
    example = preprocessing(torch.from_numpy(frame)[None])
    masks = [features.Masks(), features.Masks(0.5, 2), features.Masks(0.3, 3)]
    reader = features.LayerReader(network, preprocessing, example, [TAP], masks, COUNTS, outputs=True)
    maps.clear()
    classes, found = reader(frame)

    with torch.no_grad():
        np.testing.assert_array_equal(classes, network(example)[0].argmax(dim=0).numpy())
    tap = maps[0][0].double().numpy()
    np.testing.assert_allclose(found[features.Reading(TAP, "mean")], tap.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[features.Reading(TAP, "deviation")], np.log(tap.std(axis=(1, 2))), rtol=1e-3)
    for one in masks[1:]:
        blocks = sliding_window_view(tap, (one.block_size, one.block_size), axis=(1, 2)).mean(axis=(3, 4))
        read = found[features.Reading(TAP, "block deviation", one)]
        np.testing.assert_allclose(read, np.log(blocks.std(axis=(1, 2))), rtol=1e-3)
    for count in COUNTS:
        own, added = (found[features.Reading(TAP, "entropy", one, count)] for one in masks[:2])
        np.testing.assert_allclose(own, added, rtol=1e-4)  # the layer's own constants, so the same bank of masks
    entropy, drawn = found[features.Reading(TAP, "entropy", masks[2], 12)], samples_of(tap, 0.3, 3, 12)
    expected = [entropy_by_tree(column, 5, 1e-5) for column in drawn.T]
    np.testing.assert_allclose(entropy, expected, rtol=1e-3, atol=1e-3)
    spread = found[features.Reading(TAP, "sample deviation", masks[2], 12)]
    np.testing.assert_allclose(spread, np.log(drawn.std(axis=0)), rtol=1e-3)


def samples_of(tap: NDArray[np.float64], drop_prob: float, block_size: int, count: int) -> NDArray[np.float64]:
    """Means of the kept cells under masks that are drawn as docs/concepts/tap.md says, ``(S, C)``."""
    generator = np.random.Generator(np.random.PCG64(0))
    found: list[NDArray[np.float64]] = []
    seen: list[bytes] = []
    while len(found) < count:
        seeds = generator.random(tap.shape[1:], dtype=np.float32) < drop_prob / block_size**2
        keep = np.ones_like(seeds)
        for row, column in np.argwhere(seeds):
            low, high = block_size // 2, block_size - block_size // 2
            keep[max(0, row - low) : row + high, max(0, column - low) : column + high] = False
        if keep.any() and not keep.all() and keep.tobytes() not in seen:
            seen.append(keep.tobytes())
            found.append(tap[:, keep].mean(axis=1))
    return np.stack(found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_areas_of_drawn_frames_are_those_of_weighted_curves(
    import_example: Callable[[str], ModuleType], seed: int, ind_frames: int, ood_frames: int
) -> None:
    rng = np.random.default_rng(seed)
    ind, ood = (rng.integers(0, 6, count).astype(float) for count in (ind_frames, ood_frames))
    ind_counts, ood_counts = rng.integers(0, 3, (5, ind_frames)), rng.integers(0, 3, (5, ood_frames))
    found = import_example("sampling_study").areas(ind, ood, ind_counts, ood_counts)
    labels = np.repeat([0, 1], [ind_frames, ood_frames])
    for area, some, others in zip(found, ind_counts, ood_counts, strict=True):
        if some.any() and others.any():
            weights = np.concatenate([some, others])
            drawn = weights > 0
            scores = np.concatenate([ind, ood])
            assert area == pytest.approx(roc_auc_score(labels[drawn], scores[drawn], sample_weight=weights[drawn]))
        else:
            assert np.isnan(area)


def test_sampling_study_of_scenes_prints_a_table_for_each_tap_and_masks(
    import_example: Callable[[str], ModuleType],
    scenes: Path,
    tmp_path: Path,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--ckpt", str(checkpoint), "--fit", str(scenes / "fit"), "--judge", str(scenes / "judge")]
    words += ["--taps", TAP, "--masks", "own", "0.3:3", "--samples", "2", "12", "--shifts", "fog", "jpeg"]
    picture = tmp_path / "study.png"
    words += ["--severities", "5", "--every", "2", "--outputs", "--figure", str(picture)]
    import_example("sampling_study").main(words)
    heading, own, added, output = capsys.readouterr().out.split("### ")
    assert heading.startswith("24 frames fit; 12 of 3 other drives are judged, and 12 degraded ones in 2 cells")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in added.splitlines()[4:-1]]
    assert [row[1] for row in rows] == ["-"] * 4 + ["2"] * 4 + ["12"] * 4
    assert {len(row) for row in rows} == {7}
    assert all(0 <= float(cell) <= 1 for row in rows for cell in row[2:5])
    assert [row[6] == "-" for row in rows] == [True] + [False] * 11
    assert "b x b" not in own, "the network's own masks have no block that a mean could be taken over"
    assert [line for line in own.splitlines() if line.startswith("| moments |")] == [
        line for line in added.splitlines() if line.startswith("| moments |")
    ], "what is not sampled does not depend on the masks"
    assert output.count("mutual information") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_table_of_a_layer_of_one_cell_has_no_row_of_its_deviations(
    import_example: Callable[[str], ModuleType],
) -> None:
    study, features = import_example("sampling_study"), import_example("sampling_features")
    rng = np.random.default_rng(0)
    own = features.Masks()
    varying = [features.Reading("latent", "mean")]
    varying += [features.Reading("latent", what, own, 8) for what in ("entropy", "sample deviation")]
    sets = [
        {reading: rng.normal(size=(count, 3)) for reading in varying}
        | {features.Reading("latent", "deviation"): np.full((count, 3), -11.5)}
        for count in (40, 20, 30)
    ]
    drawn = study.draw_drives([str(i // 5) for i in range(20)], 50, rng)
    assert (drawn[:, 0] == drawn[:, 4]).all(), "frames of a drive are drawn together"
    np.testing.assert_array_equal(drawn.sum(axis=1), 20)
    degraded = drawn[:, np.arange(30) % 20]
    judged = study.Judged(*sets, np.repeat([0, 1], 15), rng.random(30), (drawn, degraded))
    found = list(study.table(judged, "latent", own, [8]))
    names = [row.name for row in found]
    assert names == ["moments", "means alone", *study.SAMPLED]
    assert found[0].hurting == found[1].hurting, "the moments are the means"
    assert found[1].gain == (0, 0, 0)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--samples", "1"], "2 samples or more, got 1"),
        (["--taps", "nowhere"], "no nowhere"),
        (["--masks", "half"], "expected own or P:B, got half"),
        (["--judge", "fit"], "other drives to judge than to fit, both hold fit0"),
        (["--taps", "deeplab_v3plus_model.backbone.layer1"], "layer1"),
    ],
)
def test_sampling_study_with_a_wrong_option_exits_with_one_line(
    extra: list[str],
    message: str,
    import_example: Callable[[str], ModuleType],
    scenes: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(scenes)
    words = ["--ckpt", str(checkpoint), "--fit", "fit", "--judge", "judge", "--taps", TAP, "--samples", "2", *extra]
    with pytest.raises(SystemExit) as stopped:
        import_example("sampling_study").main(words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_dropout_unet_of_a_checkpoint_is_sampled_behind_its_masks(
    import_example: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    unet, features = import_example("dropout_unet"), import_example("sampling_features")
    saved = save_checkpoint(unet.DropoutUNet(3, (4, 6, 8), input_size=(32, 48)), tmp_path / "unet.ckpt")
    checkpoint = load_checkpoint(saved, "dropout_unet:DropoutUNet")
    assert checkpoint.hyper_parameters["input_size"] == (32, 48)
    preprocessing = Preprocessing(32, 48, MEAN, STD)
    example = preprocessing(torch.zeros((1, 40, 60, 3), dtype=torch.uint8))
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    own = features.Masks()
    reader = features.LayerReader(
        checkpoint.network, preprocessing, example, ["up.1", "up.0", "up.1+head"], [own], (8,)
    )
    classes, found = reader(frame)
    assert classes.shape == (32, 48)
    entropies = [found[features.Reading(tap, "entropy", own, 8)] for tap in ("up.0", "up.1", "up.1+head")]
    assert [len(entropy) for entropy in entropies] == [6, 4, 4]
    np.testing.assert_array_equal(entropies[1], entropies[2])
    assert len(found[features.Reading("up.1+head", "mean")]) == 4 + 3
    again = reader(frame)[1]
    assert all((again[reading] == values).all() for reading, values in found.items()), "masks are the same every time"


@pytest.mark.slow
@pytest.mark.parametrize(("network", "model"), [("dropout", "dropout_unet:DropoutUNet"), ("probabilistic", None)])
def test_training_of_a_unet_writes_a_checkpoint_of_its_last_epoch(
    network: str,
    model: str | None,
    import_example: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PIL import Image

    for kind in ("frames", "labels"):
        (tmp_path / kind).mkdir()
    for number in range(4):
        write = np.random.default_rng(number).integers(0, 2, (40, 60), np.uint8)
        Image.fromarray(write).save(tmp_path / "labels" / f"{number}.png")
        Image.fromarray(np.repeat(write[..., None] * 255, 3, axis=2)).save(tmp_path / "frames" / f"{number}.png")
    words = ["--network", network, "--frames", str(tmp_path / "frames"), "--labels", str(tmp_path / "labels")]
    words += ["--classes", "2", "--epochs", "1", "--batch-size", "2", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["train_unet.py", *words])
    import_example("train_unet").main()
    model = model or "export.models:ProbabilisticUnetPriorMcdModule"
    assert load_checkpoint(tmp_path / "run" / "last.ckpt", model).hyper_parameters["n_class"] == 2
