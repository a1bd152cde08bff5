# SPDX-License-Identifier: Apache-2.0
"""Does it help to label the frames that a monitor picks? Trains, picks 100 frames three ways, trains on, compares the mIoU.

    python examples/select_experiment.py --data idd_lite/ --out runs/select --seeds 0 1 2

`--data` holds `train/`, `trainannot/`, `val/` and `valannot/` with file names `<drive>_<frame>`. For each seed:

1. A third of the training drives, drawn at random, trains the base network. Of the other drives 15 % calibrate the monitor;
   the network never sees them, and nothing is picked from them. The rest is the pool.
2. The base network is exported with its expected mIoU and cause, by the calibration drives and their labels.
3. `--budget` frames of the pool are picked: by `lsood select` with its defaults, by the highest mean entropy of the softmax,
   and at random.
4. The base network is trained on with each pick beside its own frames, and with no pick at all: the same number of steps,
   the same schedule and seed.
5. Each network is judged once on `val/`, at the labels' own size. `val/` decides nothing: no epoch, option or pick.

The network is a ResNet-18 DeepLabV3+ of a quarter of the channels at 112x160, so that a seed takes a few minutes of one core.
Its DropBlock has blocks of 8 cells, of which the map of 7x10 has too few; for the monitor's samples they are of 3 cells.

Each step keeps what it made in `--out`, and a run that was cut off goes on from there. `results.json` has the figures, and
a table of them is printed.
"""

import argparse
import csv
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from export.data import LabelledFolder
from export.data.data_module import LoaderOptions, SegmentationDataModule
from export.data.dataset import Augmentation
from export.errors import UsageError
from export.layers.preprocessing import Preprocessing
from export.models import DeepLabV3PlusModule

ARMS = ("none", "random", "entropy", "monitor")
CLASSES, VOID = 7, 255
SIZE, CROP = (112, 160), (96, 128)


@dataclass(frozen=True)
class Drives:
    """Which training drives do what, for one seed: names of drives."""

    network: frozenset[str]
    monitor: frozenset[str]
    pool: frozenset[str]


def draw_drives(names: Collection[str], seed: int) -> Drives:
    """A third of the drives for the network; of the others 15 % for the monitor, the rest for the pool."""
    order = np.random.default_rng(seed).permutation(sorted(set(names))).tolist()
    third = round(len(order) / 3)
    calibration = third + round(0.15 * (len(order) - third))
    return Drives(frozenset(order[:third]), frozenset(order[third:calibration]), frozenset(order[calibration:]))


def labelled(data: Path, part: str, drives: Collection[str] | None = None) -> LabelledFolder:
    """Frames of ``train`` or ``val`` with their labels, of some drives or of all."""
    return LabelledFolder(data / part, data / f"{part}annot", CLASSES, VOID, "prefix", drives)


class Small:
    """Frames and labels at the network's size, held in memory: decoded and resized once, not at every step.

    Args:
        frames: at their own size.
        drives: whose frames to take.
        picks: file names of other frames to take.
    """

    def __init__(self, frames: LabelledFolder, drives: Collection[str], picks: Collection[str] = ()) -> None:
        size = SIZE[::-1]
        self._items = [
            (
                np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8),
                np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8),
            )
            for frame, label in (
                frames[index]
                for index, (path, drive) in enumerate(zip(frames.paths, frames.drives, strict=True))
                if drive in drives or path.name in picks
            )
        ]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._items[index]


def loaded(small: Small, seed: int) -> SegmentationDataModule:
    """Shuffled and augmented batches of eight."""
    options = LoaderOptions(
        batch_size=8,
        img_size=SIZE,
        num_workers=0,
        drop_last=True,
        shuffle=True,
        pin_memory=False,
        augmentation=Augmentation(CROP, void=VOID),
        norm_mean=(0.485, 0.456, 0.406),
        norm_std=(0.229, 0.224, 0.225),
        seed=seed,
    )
    return SegmentationDataModule(small, small, None, options)


def train(frames: Small, start: Path | list[float], steps: int, rate: float, seed: int, out: Path) -> None:
    """Train a network on from a checkpoint, or from chance with these class weights, and keep the last weights at ``out``."""
    pl.seed_everything(seed, verbose=False)
    if isinstance(start, list):
        module = DeepLabV3PlusModule(
            "resnet18",
            dataset="idd_lite",
            n_class=CLASSES,
            optimizer="adamw",
            optimizer_lr=rate,
            optimizer_weight_decay=1e-2,
            class_weights=start,
            width_multiplier=0.25,
            input_size=SIZE,
        )
    else:
        module = DeepLabV3PlusModule.load_from_checkpoint(start, optimizer_lr=rate, map_location="cpu")
    module = module.to(memory_format=torch.channels_last)
    trainer = pl.Trainer(
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        gradient_clip_val=1.0,
        accelerator="cpu",
        precision="bf16-mixed",
    )
    trainer.fit(module, loaded(frames, seed))
    part = out.with_suffix(".part")
    trainer.save_checkpoint(part, weights_only=True)
    part.rename(out)


def logits_of(checkpoint: Path, frames: LabelledFolder) -> Iterator[tuple[torch.Tensor, NDArray[np.uint8]]]:
    """Yield each frame's logits ``(1, K, h, w)`` at the network's own size, and its label."""
    module = DeepLabV3PlusModule.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    prepare = Preprocessing(*SIZE, mean=module.hparams["mean"], std=module.hparams["std"])
    with torch.inference_mode():
        for index in range(len(frames)):
            frame, label = frames[index]
            yield module(prepare(torch.from_numpy(np.array(frame))[None])), label


def judge(checkpoint: Path, frames: LabelledFolder) -> dict[str, Any]:
    """Mean and single IoU over all pixels of the frames, at the labels' size."""
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for logits, label in logits_of(checkpoint, frames):
        predicted = F.interpolate(logits, size=label.shape, mode="bilinear").argmax(1)[0].numpy()
        known = label < CLASSES
        pairs = label[known].astype(np.int64) * CLASSES + predicted[known]
        counts += np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    hits = np.diag(counts)
    iou = hits / (counts.sum(0) + counts.sum(1) - hits)
    return {"miou": float(iou.mean()), "iou": iou.tolist(), "accuracy": float(hits.sum() / counts.sum())}


def pick_by_entropy(checkpoint: Path, pool: LabelledFolder, budget: int) -> list[str]:
    """File names of the frames with the highest mean entropy of the softmax."""
    entropies = []
    for logits, _ in logits_of(checkpoint, pool):
        log_p = F.log_softmax(logits, 1)
        entropies.append(float(-(log_p.exp() * log_p).sum(1).mean()))
    return [pool.paths[index].name for index in np.argsort(entropies, kind="stable")[::-1][:budget]]


def pick_at_random(pool: LabelledFolder, budget: int, seed: int) -> list[str]:
    """File names of frames that are drawn without replacement."""
    drawn = np.random.default_rng((seed, 1)).choice(len(pool), budget, replace=False)
    return [pool.paths[index].name for index in sorted(drawn.tolist())]


@dataclass(frozen=True)
class Plan:
    """One seed's drives, folder and options; each step makes its file where it is missing."""

    data: Path
    folder: Path
    seed: int
    budget: int
    steps: int
    extra_steps: int

    @property
    def base(self) -> Path:
        """Checkpoint of the base network."""
        return self.folder / "base.ckpt"

    @property
    def drives(self) -> Drives:
        """The seed's draw."""
        return draw_drives(labelled(self.data, "train").drives, self.seed)

    def check(self) -> None:
        """Refuse a folder of another plan."""
        file, own = (
            self.folder / "plan.json",
            {"budget": self.budget, "steps": self.steps, "extra_steps": self.extra_steps},
        )
        if not file.exists():
            file.write_text(json.dumps(own))
        if (planned := json.loads(file.read_text())) != own:
            raise SystemExit(f"expected the plan of {self.folder}, {planned}, got {own}: name another --out")

    def train_base(self) -> None:
        """Train the base network."""
        if not self.base.exists():
            self._say("train the base network")
            frames, drives = labelled(self.data, "train"), self.drives.network
            weights = labelled(self.data, "train", drives).class_weights()
            train(Small(frames, drives), weights, self.steps, 2e-3, self.seed, self.base)

    def picks(self, arm: str) -> list[str]:
        """File names of an arm's picks, from its file where there is one."""
        file = self.folder / f"{arm}.json"
        if not file.exists():
            pool = labelled(self.data, "train", self.drives.pool)
            self._say(f"pick: {arm}")
            if arm == "none":
                names = []
            elif arm == "random":
                names = pick_at_random(pool, self.budget, self.seed)
            elif arm == "entropy":
                names = pick_by_entropy(self.base, pool, self.budget)
            else:
                names = self._pick_by_monitor()
            file.write_text(json.dumps(names))
        names = json.loads(file.read_text())
        return [str(name) for name in names]

    def train_on(self, arm: str) -> dict[str, Any]:
        """Train on with the arm's picks, and judge: the arm's figures."""
        result, checkpoint = self.folder / f"{arm}_result.json", self.folder / f"{arm}.ckpt"
        if not result.exists():
            picks = self.picks(arm)
            if not checkpoint.exists():
                self._say(f"train on: {arm}")
                frames = Small(labelled(self.data, "train"), self.drives.network, picks)
                train(frames, self.base, self.extra_steps, 1e-3, self.seed, checkpoint)
            drives = {name.partition("_")[0] for name in picks}
            figures = judge(checkpoint, labelled(self.data, "val"))
            result.write_text(json.dumps({"picks": len(picks), "drives": len(drives), **figures}))
            self._say(f"{arm}: mIoU {figures['miou']:.4f}")
        figures = json.loads(result.read_text())
        return dict(figures)

    def _pick_by_monitor(self) -> list[str]:
        """File names of the picks of `lsood select`, by the commands that a user runs."""
        for part in ("monitor", "pool"):
            link_frames(labelled(self.data, "train", getattr(self.drives, part)).paths, self.folder / part)
        bundle, rows, picks = (self.folder / name for name in ("bundle", "rows.parquet", "pick.csv"))
        if not bundle.exists():
            self._say("export the monitor")
            frames = ["--frames", self.folder / "monitor", "--group-by", "prefix"]
            answers = ["--answers", "quality", "cause", "--labels", self.data / "trainannot"]
            called(
                "export",
                "--ckpt",
                self.base,
                *frames,
                *answers,
                "--model-arg",
                "block_size=3",
                "--quiet",
                "--out",
                bundle,
            )
        called("lsood_runtime", "score", bundle, self.folder / "pool", "--features", "--out", rows)
        called("lsood_runtime", "select", rows, "--budget", self.budget, "--group-by", "prefix", "--out", picks)
        with picks.open(newline="") as file:
            return [Path(row["frame"]).name for row in csv.DictReader(file)]

    def _say(self, words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} seed {self.seed}: {words}", file=sys.stderr, flush=True)


def link_frames(paths: Sequence[Path], folder: Path) -> None:
    """Make a folder of links to frames."""
    folder.mkdir(exist_ok=True)
    for path in paths:
        if not (folder / path.name).is_symlink():
            (folder / path.name).symlink_to(path.resolve())


def called(*words: object) -> None:
    """Run a command of this project; its exit code 1, frames out of distribution, is no failure."""
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")


def table(results: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: each arm's mIoU by seed, and what it gains over no picks and over random ones."""
    yield f"| picks | {' | '.join(f'seed {seed}' for seed in results)} | mean | over none | over random | drives |"
    yield f"|---|{'---|' * (len(results) + 4)}"
    miou = {arm: np.array([of_seed[arm]["miou"] for of_seed in results.values()]) for arm in ARMS}
    for arm in ARMS:
        drives = ", ".join(str(of_seed[arm]["drives"]) for of_seed in results.values())
        gains = [spread(miou[arm] - miou[other]) if arm != other else "" for other in ("none", "random")]
        values = " | ".join(f"{value:.4f}" for value in miou[arm])
        yield f"| {arm} | {values} | {miou[arm].mean():.4f} | {' | '.join(gains)} | {drives} |"


def spread(differences: NDArray[np.float64]) -> str:
    """Mean of paired differences, and the smallest and the largest."""
    return f"{differences.mean():+.4f} ({differences.min():+.4f} to {differences.max():+.4f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing for each seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, trainannot/, val/ and valannot/")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/select"), help="folder of checkpoints, picks and figures"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of drives, weights, order and random picks"
    )
    parser.add_argument("--budget", type=int, default=100, help="frames to pick (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=800, help="of the base network, eight frames each (default: 800)")
    parser.add_argument("--extra-steps", type=int, default=300, help="with the picks (default: %(default)s)")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    try:
        labelled(options.data, "val")
    except UsageError as error:
        parser.error(str(error))
    results: dict[int, dict[str, dict[str, Any]]] = {}
    for seed in options.seeds:
        plan = Plan(options.data, options.out / str(seed), seed, options.budget, options.steps, options.extra_steps)
        plan.folder.mkdir(parents=True, exist_ok=True)
        plan.check()
        plan.train_base()
        results[seed] = {arm: plan.train_on(arm) for arm in ARMS}
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
