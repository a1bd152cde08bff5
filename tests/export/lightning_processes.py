# SPDX-License-Identifier: Apache-2.0
"""A training in two processes with the callback: python -m tests.export.lightning_processes FOLDER STRATEGY TAP EVERY_BEST.

Every process leaves files in the folder: ``exports-RANK`` with a line for each export, ``batches-RANK`` and ``ended-RANK``.
"""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from export.lightning import BestCheckpoint, ExportMonitor
from tests.conftest import small_network
from tests.export.lightning_stand_ins import FirstIsBest, scenes, trainer


def note(folder: Path, what: str, given: pl.Trainer, line: str = "") -> None:
    with (folder / f"{what}-{given.global_rank}").open("a") as file:
        file.write(f"{line}\n")


class NotedMonitor(ExportMonitor):
    """Notes its exports."""

    def _export(self, trainer: pl.Trainer, module: pl.LightningModule, best: BestCheckpoint | None) -> None:
        super()._export(trainer, module, best)
        note(Path(trainer.default_root_dir), "exports", trainer, "" if best is None else best.path)


class Notes(pl.Callback):
    """Notes batches and the end."""

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        note(Path(trainer.default_root_dir), "batches", trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        note(Path(trainer.default_root_dir), "ended", trainer)


def main(folder: Path, strategy: str, tap: str, every_best: bool) -> None:
    options = {"mc-samples": 8, "false-alarm-rate": ["10%=0.1"], "detector": "kde", "tap": tap}
    monitor = NotedMonitor(folder / "calibration", folder / "monitor", options=options, every_best=every_best)
    kept = ModelCheckpoint(folder / "checkpoints", monitor="loss_of_epoch", mode="max", save_on_train_epoch_end=True)
    processes: dict[str, Any] = {"devices": 2, "strategy": strategy, "enable_checkpointing": True}
    given = trainer(folder, FirstIsBest(), Notes(), monitor, kept, **processes)
    given.fit(small_network(optimizer_lr=0.1), scenes(), scenes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "True")
