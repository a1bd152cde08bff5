# SPDX-License-Identifier: Apache-2.0
"""Trainings of seconds, and stand-ins for the servers of experiments that a callback talks to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from export.data.dataset import SegmentationDataset
from export.data.synthetic import SyntheticRoads
from tests.conftest import FRAME_SIZE, INPUT_SIZE, small_network


def scenes() -> DataLoader[Any]:
    network = small_network()
    source = SyntheticRoads(4, *FRAME_SIZE, seed=7)
    rows = [source[i] for i in range(len(source))]
    data = SegmentationDataset(rows, INPUT_SIZE, mean=network.hparams["mean"], std=network.hparams["std"])
    return DataLoader(data, batch_size=2)


def trainer(place: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": place}
    return pl.Trainer(callbacks=list(callbacks), **(defaults | quiet | options))


class Experiment:
    """What a server of experiments is sent."""

    def __init__(self) -> None:
        self.id, self.sent = "run", list[tuple[Any, ...]]()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: self.sent.append((name, *arguments, *options.values()))


class Artifact:
    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.folders = name, kind, list[str]()

    def add_dir(self, folder: str) -> None:
        self.folders.append(folder)


class FirstIsBest(pl.Callback):
    """Logs a figure that grows from epoch to epoch, and keeps what the network is when the fit ends."""

    state: dict[str, torch.Tensor]
    is_training: bool

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("loss_of_epoch", float(trainer.current_epoch))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self.state = {name: value.clone() for name, value in pl_module.state_dict().items()}
        self.is_training = pl_module.training


def stand_in(kind: Any, experiment: Experiment, figures: dict[str, float]) -> Any:
    """A logger of a server of experiments, by what the callback knows it by; nothing is sent anywhere."""

    class Standing(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        experiment = property(lambda self: given)  # noqa: ARG005
        run_id = name = version = save_dir = property(lambda self: "run")  # noqa: ARG005

        def log_metrics(self, metrics: Any, step: Any = None) -> None:  # noqa: ARG002
            figures.update(metrics)

        def nothing(self, *arguments: Any, **options: Any) -> None:
            pass

        log_hyperparams = log_graph = after_save_checkpoint = finalize = save = nothing

    given = experiment
    return Standing()


class TwoLayers(pl.LightningModule):
    """The smallest network with weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 1))
