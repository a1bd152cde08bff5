# SPDX-License-Identifier: Apache-2.0
"""LightningModules in the shapes of public projects, around a network of two layers."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import lightning
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor, nn


class TwoLayers(nn.Module):
    """What the modules train."""

    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Dropout2d(0.5))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x))
        return logits


class Around(pl.LightningModule):
    """Hands its frames to ``model``."""

    model: Any

    def forward(self, x: Tensor) -> Any:
        return self.model(x)


class NetworkGiven(Around):
    def __init__(self, model: nn.Module, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model = model


class TemplateOfHydra(Around):
    """The network, the optimizer and the schedule are hyper-parameters; the network may be compiled when training starts."""

    def __init__(self, net: nn.Module, optimizer: Any, scheduler: Any = None, compiles: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def setup(self, stage: str) -> None:
        if self.hparams["compiles"]:
            self.net = torch.compile(self.net)  # type: ignore[assignment]


class OneNamespace(Around):
    def __init__(self, hparams: Namespace) -> None:
        super().__init__()
        self.save_hyperparameters(hparams)
        self.model = TwoLayers(hparams.width, hparams.classes)


class OneMapping(Around):
    def __init__(self, cfg: Mapping[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters(cfg)
        self.model = TwoLayers(cfg["width"], cfg["classes"])


class NestedMappings(Around):
    def __init__(self, model_cfg: dict[str, Any], optim_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = TwoLayers(**model_cfg)


class WholeConfig(Around):
    def __init__(self, cfg: DictConfig) -> None:
        super().__init__()
        self.save_hyperparameters(cfg)
        self.model = TwoLayers(cfg.model.width, cfg.model.classes)


class ConfigArgument(Around):
    def __init__(self, cfg: DictConfig, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = TwoLayers(cfg.model.width, cfg.model.classes)


class Sized(Around):
    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = TwoLayers(width, classes)


class MoreHyperParameters(Sized):
    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__(width, classes)
        self.save_hyperparameters({"git_sha": "abc", "epochs": 3})


class AnyKeywords(Around):
    def __init__(self, width: int = 4, classes: int = 3, **kwargs: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model, self.others = TwoLayers(width, classes), kwargs


class WeightedLoss(Sized):
    def __init__(self, width: int = 4, classes: int = 3, class_weights: Tensor | None = None) -> None:
        super().__init__(width, classes)
        self.save_hyperparameters(ignore=["class_weights"])
        self.criterion = nn.CrossEntropyLoss(weight=class_weights)


class LossGiven(Sized):
    def __init__(self, width: int = 4, classes: int = 3, criterion: nn.Module | None = None) -> None:
        super().__init__(width, classes)
        self.save_hyperparameters()
        self.criterion = criterion


class Lazy(Around):
    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = None

    def configure_model(self) -> None:
        if self.model is None:
            self.model = TwoLayers(self.hparams["width"], self.hparams["classes"])


class MendsNames(Sized):
    """Keeps its weights under another name in the file."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name.replace("model.", "net.", 1): value for name, value in weights.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name.replace("net.", "model.", 1): value for name, value in weights.items()}


class FrozenTeacher(Sized):
    """Leaves its teacher out of the file."""

    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__(width, classes)
        self.teacher = TwoLayers(2, classes)
        self.strict_loading = False

    def state_dict(self, *arguments: Any, **options: Any) -> Any:
        weights = super().state_dict(*arguments, **options)
        return {name: value for name, value in weights.items() if "teacher" not in name}


class OwnLoader(Sized):
    """Has a ``load_from_checkpoint`` of its own, without ``weights_only``, as Lightning before 2.6."""

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: Any, map_location: Any = None, strict: Any = None, **kwargs: Any
    ) -> Any:
        return super().load_from_checkpoint(checkpoint_path, map_location=map_location, strict=strict, **kwargs)


def from_function(name: str, width: int) -> pl.LightningModule:
    module: pl.LightningModule = globals()[name](width=width)
    return module


class Averaged(Sized):
    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__(width, classes)
        self.ema = torch.optim.swa_utils.AveragedModel(self.model)


class CompiledInside(Around):
    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = torch.compile(TwoLayers(width, classes))


class OtherPackage(lightning.LightningModule):
    """Of the package ``lightning``, its network a hyper-parameter as LightningCLI builds it."""

    def __init__(self, net: nn.Module, width: int = 4, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net, self.scale = net, scale

    def forward(self, x: Tensor) -> Any:
        return self.net(x)


class OtherSized(lightning.LightningModule):
    def __init__(self, width: int = 4, classes: int = 3, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model, self.scale = TwoLayers(width, classes), scale

    def forward(self, x: Tensor) -> Any:
        return self.model(x)


class OtherFiner(OtherSized):
    """Made for the export, of a class that was trained."""
