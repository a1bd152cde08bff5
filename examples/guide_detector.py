# SPDX-License-Identifier: Apache-2.0
"""The guide's detector on CamVid: fresh or fixed masks, exact density or scikit-learn's default, seen and unseen shifts.

    python examples/guide_detector.py --data CAMVID --ckpt runs/camvid/best.ckpt --block-size 6

S = 10, k = 5, PCA 16 whitened, bandwidth 0.8, fitted on the first half of ``val/`` and the same frames under mud, fog and sun
flare; tested on the second half against anomalies of severity 3 and against the drive at dusk. Beside it the one-class
density of LaRED (PCA 58 whitened, bandwidth 1.0), fitted on the day frames of ``train/``, under the same two densities.
Prints three tables in Markdown.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity
from torch.utils.data import Subset
from tqdm import tqdm

from export.anomalies import COMMON_KINDS
from export.checkpoint.load import load_checkpoint
from export.data import AnomalousFrames, CamVid
from export.data.anomalous import GUIDE_ANOMALIES
from export.data.dataset import LabelledFrames
from export.detectors.entropy import latent_entropy
from export.detectors.kde_classifier import KDEClassifier
from export.detectors.kernel_density import ExactKernelDensity
from export.evaluation.ood_metrics import IND, OOD
from export.graphs.noise import NoiseSource
from export.guide.ood_dataset import build_ood_detection_ds
from export.guide.results import get_ood_detector_results
from export.layers.preprocessing import Preprocessing
from export.sampling.sampler import Sampler, build_sampler
from export.sampling.taps import resolve_taps

MC_SAMPLES, BANDWIDTH, COMPONENTS, SEVERITY, SEED = 10, 0.8, 58, 3, 0
SEEN = " + ".join(GUIDE_ANOMALIES)
COLUMNS = {"auc": "AUC", "acc": "accuracy", "mcc": "MCC", "f1": "F1", "fpr@95": "FPR@95"}
PUBLISHED = "| published: Cityscapes, ResNet-101, its own anomalies | .9873 | .9639 | .9302 | .9626 | .0072 |"


def entropies(
    sampler: Sampler, preprocessing: Preprocessing, frames: LabelledFrames, stream: int
) -> NDArray[np.float64]:
    """``(N, C)``; masks that are not fixed are drawn anew for every frame."""
    shapes = [] if sampler.mode == "fixed" else [site.noise_shape for site in sampler.sites]
    noise = NoiseSource(shapes, MC_SAMPLES, (SEED, stream))
    rows = []
    for i in range(len(frames)):
        images = preprocessing(torch.from_numpy(np.array(frames[i][0]))[None])
        with torch.inference_mode():
            samples = sampler.module(images, *map(torch.from_numpy, noise.draw()))
        rows.append(latent_entropy(samples.numpy())[0])
    return np.stack(rows)


def classifiers(rows: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> dict[str, KDEClassifier]:
    """The guide's classifier over the exact density, and over scikit-learn's at its default leaf size."""
    exact, default = (KDEClassifier(BANDWIDTH).fit(rows, labels) for _ in range(2))
    default.densities_ = [KernelDensity(bandwidth=BANDWIDTH).fit(rows[labels == c]) for c in default.classes_]
    return {"exact": exact, "default": default}


def one_class_results(
    found: Mapping[str, NDArray[np.float64]], shifts: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """For each shift AUROC with the exact and with the default density, and the largest difference of a frame, nats."""
    pca = PCA(COMPONENTS, whiten=True, random_state=SEED).fit(found["train"])
    rows = {name: pca.transform(values) for name, values in found.items()}
    exact, default = ExactKernelDensity(1.0).fit(rows["train"]), KernelDensity(bandwidth=1.0).fit(rows["train"])
    results = {}
    for shift in shifts:
        test = np.concatenate([rows["test"], rows[shift]])
        labels = np.repeat([IND, OOD], [len(rows["test"]), len(rows[shift])])
        scores = [-density.score_samples(test) for density in (exact, default)]
        aucs = [float(roc_auc_score(labels, score)) for score in scores]
        results[shift] = (*aucs, float(np.abs(scores[0] - scores[1]).max()))
    return results


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CamVid's folder")
    parser.add_argument("--ckpt", type=Path, required=True, help="DeepLabV3+ checkpoint trained on it")
    parser.add_argument("--block-size", type=int, help="DropBlock's b, where the network's own leaves too much")
    options = parser.parse_args()

    checkpoint = load_checkpoint(options.ckpt)
    known = checkpoint.hyper_parameters
    preprocessing = Preprocessing(*known["input_size"], known["mean"], known["std"])
    day, dusk = CamVid(options.data, "val"), CamVid(options.data, "train", only=("0001TP",))
    half = len(day) // 2
    valid, test = Subset(day, range(half)), Subset(day, range(half, len(day)))  # type: ignore[arg-type]
    sets: dict[str, LabelledFrames] = {
        "train": CamVid(options.data, "train", exclude=("0001TP",)),
        "valid": valid,
        "anomalous valid": AnomalousFrames(valid, severity=SEVERITY, seed=SEED, stream=1),
        "test": test,
        SEEN: AnomalousFrames(test, severity=SEVERITY, seed=SEED, stream=2),
        "dusk": dusk,
    }
    sets |= {
        kind: AnomalousFrames(test, (kind,), SEVERITY, SEED, stream=2)
        for kind in COMMON_KINDS
        if kind not in GUIDE_ANOMALIES
    }

    one_class: dict[str, dict[str, tuple[float, float, float]]] = {}
    results: dict[tuple[str, str, str], Mapping[str, float]] = {}
    example = torch.zeros(1, 3, *known["input_size"])
    for masks, mode in (("fresh", "input"), ("fixed", "fixed")):
        sampler = build_sampler(
            checkpoint.network,
            example,
            resolve_taps(checkpoint.network, ()),
            mc_samples=MC_SAMPLES,
            seed=SEED,
            mode=mode,  # type: ignore[arg-type]
            drop_prob=None if options.block_size is None else known["drop_prob"],
            block_size=options.block_size,
            with_output=False,
        )
        found = {
            name: entropies(sampler, preprocessing, frames, stream)
            for stream, (name, frames) in enumerate(tqdm(sets.items(), desc=f"{masks} masks"))
        }
        shifts = list(sets)[list(sets).index(SEEN) :]
        one_class[masks] = one_class_results(found, shifts)
        for shift in shifts:
            train, train_labels, rows, labels = build_ood_detection_ds(
                found["valid"], found["anomalous valid"], found["test"], found[shift]
            )
            for density, monitor in classifiers(train, train_labels).items():
                table = get_ood_detector_results(shift, monitor, rows, labels)
                results[shift, masks, density] = {name: float(table[name].iloc[0]) for name in COLUMNS}

    variants = [(masks, density) for masks in ("fresh", "fixed") for density in ("exact", "default")]
    print(
        f"on the shift that it was fitted on, other frames\n\n| | {' | '.join(COLUMNS.values())} |\n|---|---|---|---|---|---|"
    )
    for masks, density in variants:
        figures = " | ".join(f"{results[SEEN, masks, density][name]:.4f}" for name in COLUMNS)
        print(f"| {masks} masks, {density} density | {figures} |")
    print(PUBLISHED)
    print(
        "\nAUC\n\n| shift | "
        + " | ".join(f"{masks}, {density}" for masks, density in variants)
        + " |\n|---|---|---|---|---|"
    )
    for shift in shifts:
        print(f"| {shift} | " + " | ".join(f"{results[shift, *variant]['auc']:.4f}" for variant in variants) + " |")
    print("\none-class density: AUC, and the largest difference between the densities of a frame in nats\n")
    print(
        "| shift | fresh, exact | fresh, default | fixed, exact | fixed, default | difference |\n|---|---|---|---|---|---|"
    )
    for shift in shifts:
        exact, default, difference = zip(*(one_class[masks][shift] for masks in ("fresh", "fixed")), strict=True)
        figures = [f"{auc:.4f}" for pair in zip(exact, default, strict=True) for auc in pair]
        print(f"| {shift} | {' | '.join(figures)} | {max(difference):.1f} |")


if __name__ == "__main__":
    main()
