# SPDX-License-Identifier: Apache-2.0
"""``python -m export search``: one pass gives what single passes give, and no detector is tested on what it was fitted on."""

import csv
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from export.checkpoint.load import load_checkpoint
from export.cli import export as export_command
from export.cli import search as command
from export.cli.export import build_parser
from export.cli.flags import options_from
from export.data import SyntheticRoads, degrade
from export.detectors.entropy import latent_entropy
from export.detectors.kernel_density import ExactKernelDensity
from export.errors import UsageError
from export.features.key import OUTPUT_FEATURES, FeatureKey
from export.frames.files import FrameFiles
from export.layers.dropblock import DropBlock2D
from export.layers.preprocessing import Preprocessing
from export.pipeline.options import ExportOptions
from export.sampling.sampler import build_sampler
from export.search.graphs import guides_tap
from export.search.options import SearchOptions
from export.search.search import SearchResult, search
from lsood_runtime import read_manifest
from tests.conftest import INPUT_SIZE

TAPS = ("deeplab_v3plus_model.backbone.layer3", "deeplab_v3plus_model.drop_block1")
BACKBONE = "deeplab_v3plus_model.backbone"
KINDS = ("fog", "mud", "sun_flare", "night")


@pytest.fixture(scope="module")
def options(checkpoint: Path, frames: Path) -> SearchOptions:
    return SearchOptions(
        checkpoint,
        (frames,),
        taps=TAPS,
        drop_prob=0.5,
        block_size=2,
        samples=(8, 16),
        detectors=("kde", "kde-classifier"),
        components=(0, 4),
        kinds=KINDS,
        severity=(3,),
        every=3,
        timed=1,
    )


@pytest.fixture(scope="module")
def result(options: SearchOptions) -> SearchResult:
    return search(options)


def test_search_of_two_taps_ranks_every_combination_best_first(result: SearchResult) -> None:
    of_taps = [f"{tap}, {what}" for tap in TAPS for what in ("S = 8", "S = 16", "no sampling")]
    got = [(one.candidate.words(), one.candidate.detector, one.candidate.pca) for one in result.ranked]
    assert len(got) == len(set(got))
    on_features = {(name, detector, pca) for name, detector, pca in got if detector in ("kde", "kde-classifier")}
    observed = {name for name, *_ in on_features}
    assert {*of_taps, "logit moments", "class share", f"{BACKBONE}.layer1, no sampling"} <= observed
    assert on_features == {
        (name, detector, pca) for name in observed for detector in ("kde", "kde-classifier") for pca in (None, 4)
    }
    scores = {str(one.candidate.keys[0]) for one in result.ranked if one.candidate.detector == "output-score"}
    assert scores == {str(key) for key in OUTPUT_FEATURES if key.kind.is_output_score}
    fused = [one.candidate for one in result.ranked if one.candidate.detector == "fused"]
    assert {(one.tap, one.samples) for one in fused} == {(tap, count) for tap in TAPS for count in (8, 16)}
    assert len(got) == len(on_features) + len(scores) + len(fused)
    figures = [one.figures for one in result.ranked]
    assert [one.hurting for one in figures] == sorted((one.hurting for one in figures), reverse=True)
    assert all({cell.name for cell in one.cells} == {f"{kind} 3" for kind in KINDS} for one in figures)
    timed = [one for one in result.ranked if one.added_ms is not None]
    assert timed == [result.best]
    assert result.guide is not None
    assert set(result.guide.kinds) == {"night"}, "the guide's classifier was fitted on the others"
    assert result.best_beside_guide is not None
    assert [cell.kind for cell in result.best_beside_guide.cells] == ["night"]


def test_search_of_one_candidate_agrees_with_torch(result: SearchResult, checkpoint: Path, frames: Path) -> None:
    """The last tap at S = 8 with a kernel density: PyTorch in place of ONNX Runtime, and scikit-learn's AUROC."""
    loaded = load_checkpoint(checkpoint)
    preprocessing = Preprocessing(*INPUT_SIZE, loaded.hyper_parameters["mean"], loaded.hyper_parameters["std"])
    constants = {"mc_samples": 16, "drop_prob": 0.5, "block_size": 2}
    sampler = build_sampler(loaded.network, torch.zeros(1, 3, *INPUT_SIZE), TAPS, **constants)  # type: ignore[arg-type]
    layer3 = loaded.network.get_submodule(TAPS[0])
    first = next(m for m in reversed(list(layer3.modules())) if isinstance(m, torch.nn.BatchNorm2d)).num_features

    def entropies(images: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
        with torch.inference_mode():
            _, samples = sampler.module(preprocessing(torch.from_numpy(np.stack(images))))
        return latent_entropy(samples[:, :8, first:].numpy())

    clean = list(FrameFiles([frames]))
    found, weights = [], []
    for test in np.array_split(np.arange(60), 5):
        density = ExactKernelDensity().fit(entropies([frame for i, frame in enumerate(clean) if i not in test]))
        foggy = [degrade(clean[i], "fog", 3, int(i)) for i in test if i % 3 == 0]
        ind, ood = (-density.score_samples(entropies(images)) for images in ([clean[i] for i in test], foggy))
        found.append(roc_auc_score([0] * len(ind) + [1] * len(ood), np.r_[ind, ood]))
        weights.append(len(foggy))
    key = FeatureKey.entropy(TAPS[1], 8)
    (row,) = [
        one
        for one in result.ranked
        if one.candidate.keys == (key,) and one.candidate.detector == "kde" and one.candidate.pca is None
    ]
    (fog,) = [cell for cell in row.figures.cells if cell.kind == "fog"]
    assert fog.auroc == pytest.approx(np.average(found, weights=weights), abs=0.02)


def test_search_of_shifts_that_change_the_class_map_says_that_they_hurt(
    result: SearchResult, checkpoint: Path, frames: Path
) -> None:
    """The class maps of PyTorch in place of ONNX Runtime."""
    loaded = load_checkpoint(checkpoint)
    preprocessing = Preprocessing(*INPUT_SIZE, loaded.hyper_parameters["mean"], loaded.hyper_parameters["std"])
    clean = list(FrameFiles([frames]))

    def classes(frame: NDArray[np.uint8]) -> NDArray[np.int64]:
        with torch.inference_mode():
            return np.asarray(loaded.network(preprocessing(torch.from_numpy(np.array(frame))[None])).argmax(1))

    for cell in result.ranked[0].figures.cells:
        agreement = np.mean(
            [(classes(clean[i]) == classes(degrade(clean[i], cell.kind, 3, i))).mean() for i in range(0, 60, 3)]
        )
        assert cell.hurts == (agreement < 0.85), cell


@pytest.fixture
def run(checkpoint: Path, frames: Path) -> Callable[..., int]:
    def searched(*more: str) -> int:
        defaults = {"--ckpt": str(checkpoint), "--frames": str(frames), "--samples": "8", "--timed": "0"}
        defaults |= {"--shifts": "fog night", "--every": "4", "--detectors": "kde"}
        left = [word for flag, values in defaults.items() if flag not in more for word in (flag, *values.split())]
        return command.main([*left, *more])

    return searched


def test_search_command_gives_a_table_and_a_next_command_that_exports_the_best(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--out", str(tmp_path / "rows.csv"), "--neighbors", "4") == 0
    out = capsys.readouterr().out
    assert "drop_block1, S = 8" in out
    last = out.strip().splitlines()[-1]
    words = shlex.split(last.removeprefix("next: python -m export "))
    best = options_from(build_parser().parse(words), ExportOptions)
    assert (best.tap, best.mc_samples, best.neighbors) == ((TAPS[1],), 8, 4)
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert {"features", "mean_auroc", "auroc_fog 3", "auroc_night 5"} <= set(rows[0])
    assert best.calibration.detector == rows[0]["detector"]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    monkeypatch.chdir(tmp_path)
    assert export_command.main(words) == 0
    manifest = read_manifest(tmp_path / "monitor")
    assert (manifest.detector.kind, manifest.tap.layers) == (rows[0]["detector"], (TAPS[1],))


def test_search_command_on_real_ood_frames_ranks_by_them(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = SyntheticRoads(40, 80, 160, seed=9)
    for i in range(40):
        Image.fromarray(scenes[i][0] // 5).save(tmp_path / f"{i:02d}.png")
    assert run("--ood-frames", str(tmp_path), "--json", "--detectors", "kde-classifier", "--timed", "1") == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["added_ms"] is not None for row in rows) == 1
    assert {row["worst_kind"] for row in rows} == {"out of distribution"}
    assert rows[0]["mean_auroc"] > 0.9


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--taps", "deeplab_v3plus_model.drop_blok1"], 3, "drop_block1"),
        (["--samples", "5"], 2, "more Monte-Carlo samples than neighbours"),
        (["--every", "0"], 2, "--every of at least 1"),
        (["--every", "60"], 2, "10 or more degraded frames of each kind, got 1: lower --every"),
        (["--feature-layers", "backbone.layer9"], 3, "layer9"),
        (["--group-by", "nowhere.csv"], 2, "to group by"),
        (["--out", "no/where.csv"], 2, "the folder no to exist"),
        (["--frames", "nowhere"], 2, "nowhere"),
    ],
)
def test_search_command_on_bad_input_ends_in_one_line(
    run: Callable[..., int], more: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*more) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("export: error: ")
    assert message in last


def test_search_command_on_too_few_frames_is_refused(
    run: Callable[..., int], frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [str(path) for path in sorted(frames.iterdir())[:39]]
    assert run("--frames", *few) == 6
    assert "at least 40 frames, got 39" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": ()}, "one value or more for --samples, got none"),
        ({"detectors": ()}, "one value or more for --detectors, got none"),
        ({"components": ()}, "one value or more for --pca, got none"),
        ({"detectors": ("svm",)}, "expected a detector among kde, .* got 'svm'"),
        ({"kinds": ("hail",)}, "expected degradations among fog, .* got hail"),
        ({"kinds": ()}, "got none: choose some by --shifts, or give --ood-frames"),
        ({"severity": (3, 9)}, "--severity from 1 to 5, got 9"),
        ({"severity": ()}, "--severity from 1 to 5, got none"),
        ({"segmentation": "none"}, "a --segmentation for a search, got none: .* give none to the export alone"),
        ({"every": 0}, "--every of at least 1, got 0"),
        ({"timed": -1}, "--timed of at least 0, got -1"),
        ({"components": (0, -2)}, "--pca of at least 0, got -2"),
        ({"samples": (8, 5)}, "more Monte-Carlo samples than neighbours"),
    ],
)
def test_search_of_options_that_cannot_be_used_is_refused(wrong: dict[str, object], message: str) -> None:
    options = replace(SearchOptions(Path("x.ckpt"), (Path("day"),)), **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        search(options)


def test_guides_tap_of_a_network_is_its_one_drop_block_layer(checkpoint: Path) -> None:
    assert guides_tap(load_checkpoint(checkpoint).network) == TAPS[1]
    assert guides_tap(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))) is None
    assert guides_tap(torch.nn.Sequential(DropBlock2D(0.5, 2), DropBlock2D(0.5, 2))) is None
