# SPDX-License-Identifier: Apache-2.0
"""The CEA-LSEA guide's eight steps, on CamVid or, without it, on drawn scenes: a results table and two figures.

    python examples/guide.py --out runs/guide
    python examples/guide.py --data CAMVID --ckpt runs/camvid/best.ckpt --block-size 6 --out runs/guide

The detector is the guide's: fitted on in-distribution and anomalous validation frames, S = 10 fresh masks, k = 5, PCA 16
whitened, kernel density of bandwidth 0.8 for each class. The table has a row for the anomalies it was fitted on (other
frames) and one for each shift it never saw. The published row, on Cityscapes with a ResNet-101: AUC .9873, accuracy .9639,
MCC .9302, F1 .9626, FPR@95 .0072; other data and another network than here.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Subset

from export.data import CamVid, SegmentationDataset, SyntheticRoads
from export.data.anomalous import GUIDE_ANOMALIES, AnomalousFrames
from export.data.dataset import LabelledFrames
from export.guide import (
    DeepLabV3PlusModule,
    Hook,
    KDEClassifier,
    build_ood_detection_ds,
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    get_dl_h_z,
    get_ood_detector_results,
    plot_roc_ood_detector,
    plot_samples_pacmap,
)

DEMO = Path(__file__).parent / "demo" / "synthetic_roads.ckpt"
UNSEEN = ("night", "sensor_noise", "defocus")
MC_SAMPLES, BANDWIDTH, SEED = 10, 0.8, 0


def in_distribution_frames(data: Path | None, frames: int) -> tuple[LabelledFrames, LabelledFrames]:
    """Step 1: validation and test frames from the training distribution."""
    if data is None:
        return SyntheticRoads(frames, 192, 384, seed=300), SyntheticRoads(frames, 192, 384, seed=301)
    day = CamVid(data, "val")
    half = min(len(day) // 2, frames)
    return Subset(day, range(half)), Subset(day, range(len(day) - half, len(day)))  # type: ignore[arg-type, return-value]


def entropies(network: DeepLabV3PlusModule, hook: Hook, frames: LabelledFrames) -> NDArray[np.float64]:
    """Steps 4 and 5: Monte-Carlo samples of the tap, and the entropy of each latent dimension."""
    options = network.hparams
    loader = DataLoader(SegmentationDataset(frames, options["input_size"], options["mean"], options["std"]))
    samples = deeplabv3p_get_ls_mcd_samples(network, loader, MC_SAMPLES, hook, seed=SEED)
    return get_dl_h_z(samples, MC_SAMPLES)[1]


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CamVid's folder (default: drawn scenes)")
    parser.add_argument("--ckpt", type=Path, default=DEMO, help="DeepLabV3+ checkpoint (default: the demo's)")
    parser.add_argument("--block-size", type=int, help="DropBlock's b, where the network's own leaves too much")
    parser.add_argument("--frames", type=int, default=60, help="frames a set (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table and the figures")
    options = parser.parse_args()
    if options.data is not None and options.ckpt == DEMO:
        parser.error("expected --ckpt with --data: the demo's network knows drawn scenes only")

    valid, test = in_distribution_frames(options.data, options.frames)

    changed = {} if options.block_size is None else {"block_size": options.block_size}
    network = DeepLabV3PlusModule.load_from_checkpoint(options.ckpt, map_location="cpu", **changed)  # step 2
    hook = Hook(network.deeplab_v3plus_model.drop_block1)  # step 3
    network.deeplab_v3plus_model.eval()
    network.deeplab_v3plus_model.apply(deeplabv3p_apply_dropout)

    def degraded(frames: LabelledFrames, kinds: tuple[str, ...], stream: int) -> NDArray[np.float64]:
        return entropies(network, hook, AnomalousFrames(frames, kinds, seed=SEED, stream=stream))

    ind_valid, ind_test = entropies(network, hook, valid), entropies(network, hook, test)
    ood_valid = degraded(valid, GUIDE_ANOMALIES, 1)
    shifts = {" + ".join(GUIDE_ANOMALIES): degraded(test, GUIDE_ANOMALIES, 2)}
    shifts |= {f"{kind} (unseen)": degraded(test, (kind,), 2) for kind in UNSEEN}

    tables = []
    for name, ood_test in shifts.items():
        train, train_labels, held_out, labels = build_ood_detection_ds(
            ind_valid, ood_valid, ind_test, ood_test
        )  # step 6
        monitor = KDEClassifier(bandwidth=BANDWIDTH).fit(train, train_labels)  # step 7
        tables.append(get_ood_detector_results(name, monitor, held_out, labels))  # step 8
    results = pd.concat(tables)

    options.out.mkdir(parents=True, exist_ok=True)
    plot_roc_ood_detector(results).savefig(options.out / "roc.png", dpi=150)
    projection = plot_samples_pacmap(ind_test, next(iter(shifts.values())), title="entropies of test frames")
    projection.savefig(options.out / "pacmap.png", dpi=150)
    figures = results.drop(columns=["fpr", "tpr"])
    figures.to_csv(options.out / "results.csv")
    print(figures.to_string(float_format="{:.4f}".format))
    print(f"figures: {options.out / 'roc.png'}, {options.out / 'pacmap.png'}")


if __name__ == "__main__":
    main()
