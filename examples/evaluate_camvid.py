# SPDX-License-Identifier: Apache-2.0
"""How well a bundle tells CamVid's dusk drive from its day, and what it costs.

    python examples/evaluate_camvid.py --data path/to/camvid --bundle runs/monitor --ckpt runs/camvid/best.ckpt

In distribution: `val/`, day frames of a drive that the network was trained on. Out of distribution: the drive at dusk,
`0001TP`, which neither network nor density has seen. Prints AUROC, both 95 % figures, the network's mIoU on both sets, and
milliseconds a frame with and without the monitor, taken frame by frame in turn.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from torchmetrics.classification import MulticlassJaccardIndex
from tqdm import tqdm

from export.checkpoint.load import load_checkpoint
from export.data.camvid import CLASSES, CamVid
from export.data.labelled_folder import VOID
from export.graphs.segmentation import BareNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from lsood_runtime import OoDMonitor
from lsood_runtime.offline import session_options

DUSK = "0001TP"
WARM_UP = 4


def score_and_segment(monitor: OoDMonitor, frames: CamVid, what: str) -> tuple[NDArray[np.float64], float]:
    """Scores of all frames, and the mIoU of the monitor's own class maps, labels shrunk to the network's size."""
    jaccard = MulticlassJaccardIndex(len(CLASSES), average="macro", ignore_index=VOID)
    scores = []
    for i in tqdm(range(len(frames)), desc=what, unit="frame"):
        frame, label = frames[i]
        verdict = monitor.assess(frame)
        scores.append(verdict.score)
        classes = torch.from_numpy(np.asarray(verdict.segmentation)).long()[None, None].float()
        full = torch.nn.functional.interpolate(classes, size=label.shape, mode="nearest")[0, 0].long()
        jaccard.update(full, torch.from_numpy(label).long())
    return np.array(scores), float(jaccard.compute())


def milliseconds(monitor: OoDMonitor, ckpt: Path, frames: CamVid, pairs: int) -> tuple[float, float]:
    """Medians of the bare network and of the monitored frame; prints the median of their ratio, pair by pair."""
    contract = monitor.manifest.input
    preprocessing = Preprocessing(
        contract.network_height,
        contract.network_width,
        contract.mean,
        contract.std,
        network_channels=contract.network_channels,
        pad=contract.pad,
    )
    graph = segmentation_graph(
        BareNetwork(preprocessing, load_checkpoint(ckpt).network), contract.frame_height, contract.frame_width
    )
    session = ort.InferenceSession(graph.SerializeToString(), session_options(), providers=["CPUExecutionProvider"])
    seconds = []
    for i in tqdm(range(WARM_UP + pairs), desc="timing", unit="pair"):
        frame = frames[i % len(frames)][0]
        pair = {}
        for name in ("alone", "monitored") if i % 2 else ("monitored", "alone"):  # neither always runs on a warm cache
            start = time.perf_counter()
            if name == "alone":
                session.run(None, {"frame": frame[None]})
            else:
                monitor.assess(frame)
            pair[name] = time.perf_counter() - start
        seconds.append((pair["alone"], pair["monitored"]))
    alone, monitored = 1e3 * np.array(seconds[WARM_UP:]).T
    print(f"monitored / alone, median of {pairs} pairs: {np.median(monitored / alone):.3f}")
    return float(np.median(alone)), float(np.median(monitored))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, trainannot/, val/, valannot/")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--ckpt", type=Path, required=True, help="the checkpoint that the bundle was made from")
    parser.add_argument("--pairs", type=int, default=40, help="timed pairs (default: %(default)s)")
    options = parser.parse_args()
    day, dusk = CamVid(options.data, "val"), CamVid(options.data, "train", only=(DUSK,))
    with OoDMonitor(options.bundle) as monitor:
        day_scores, day_iou = score_and_segment(monitor, day, "day")
        dusk_scores, dusk_iou = score_and_segment(monitor, dusk, "dusk")
        labels = np.r_[np.zeros(len(day_scores)), np.ones(len(dusk_scores))]
        scores = np.r_[day_scores, dusk_scores]
        false_alarms, caught, _ = roc_curve(labels, scores, drop_intermediate=False)
        print(f"frames: {len(day_scores)} day, {len(dusk_scores)} dusk")
        print(f"AUROC: {roc_auc_score(labels, scores):.4f}")
        print(f"InD flagged at 95 % OoD caught: {false_alarms[caught >= 0.95].min():.4f}")
        print(f"OoD missed at 95 % InD kept: {1 - caught[false_alarms <= 0.05].max():.4f}")
        print(
            f"flagged at the shipped threshold: {(day_scores > monitor.threshold).mean():.3f} of day, "
            f"{(dusk_scores > monitor.threshold).mean():.3f} of dusk"
        )
        print(f"mIoU: {day_iou:.3f} day, {dusk_iou:.3f} dusk")
        alone, monitored = milliseconds(monitor, options.ckpt, day, options.pairs)
        print(f"median ms a frame: {alone:.1f} network alone, {monitored:.1f} with the monitor")


if __name__ == "__main__":
    main()
