# SPDX-License-Identifier: Apache-2.0
"""Networks that return their logits in every container that libraries use, beside a tensor whose classes are others."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tests.networks import ColourClasses


@dataclass
class LibraryOutput(OrderedDict[object, object]):
    """As transformers' ``ModelOutput``: a data class and a mapping of the fields that are not None, read by index too."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        self.update({item.name: v for item in fields(self) if (v := getattr(self, item.name)) is not None})

    def __getitem__(self, key: object) -> object:
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


class Pair(NamedTuple):
    """Two tensors by name."""

    segmentation: Tensor
    auxiliary: Tensor


@dataclass
class Prediction:
    """Tensors in a plain data class."""

    logits: Tensor
    confidence: Tensor | None = None


class Custom:
    """Holds a tensor where nothing finds it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


RETURNED: dict[str, Callable[[Tensor, Tensor], object]] = {
    "tensor": lambda y, _: y,
    "dict": lambda y, aux: {"aux": aux, "out": y},
    "ordered": lambda y, aux: OrderedDict(out=y, aux=aux),
    "library": lambda y, aux: LibraryOutput(logits=y, hidden_states=(aux, aux)),
    "tuple of one": lambda y, _: (y,),
    "list with features": lambda y, aux: [aux.mean(dim=(2, 3)), y],
    "tuple": lambda y, aux: (aux, y),
    "list": lambda y, aux: [aux, y],
    "named tuple": Pair,
    "data class": lambda y, _: Prediction(y),
    "nested": lambda y, aux: {"aux": [aux], "out": [{"logits": y}]},
    "names unknown": lambda y, aux: {"main": (y, y.mean()), "aux": aux},
    "class ids": lambda y, aux: {"out": y.argmax(1), "aux": aux},
    "queries": lambda y, aux: {"masks": y, "classes": aux.flatten(2)[..., :6]},
    "custom": lambda y, _: Custom(y),
    "nothing": lambda *_: None,
}


class Returning(ColourClasses):
    """Gives its logits in a container; the other tensor is their negative, whose largest channel is another one."""

    def __init__(self, container: str) -> None:
        super().__init__()
        self.container = container

    def forward(self, x: Tensor) -> object:  # type: ignore[override]
        y = super().forward(x)
        return RETURNED[self.container](y, -y)


class Inner(Returning):
    """Has ``predict`` and ``predict_logits`` beside a forward whose output cannot be taken."""

    def __init__(self) -> None:
        super().__init__("custom")

    @torch.no_grad()
    def predict(self, x: Tensor) -> object:
        """As libraries write it: calls the module itself."""
        return {"mask": self(x).tensor}

    def save(self, path: str) -> None:
        """Takes one argument and is not for tensors."""


class WithoutForward(nn.Module):
    """Trained by its own loop, which calls its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.loss = ColourClasses(), nn.Conv2d(3, 3, 1)

    def encode_decode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 3, H, W)."""
        found: Tensor = self.model(x)
        return found

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Takes two tensors."""
        return self.encode_decode(x) - y


class OnlyPart(nn.Module):
    """Holds its network, and nothing else that could be called."""

    def __init__(self) -> None:
        super().__init__()
        self.model = ColourClasses()


class WithLabels(WithoutForward):
    """Its forward takes labels beside the images."""

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        return self.encode_decode(images) * masks


class FromBatch(WithoutForward):
    """Its forward takes a batch as its data loader gives it."""

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.encode_decode(batch["image"])


class Squeezed(ColourClasses):
    """One logit for each pixel, without a channel."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y[:, 2] - y[:, 0]


class SqueezedInDict(Squeezed):
    """The same in a dictionary."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        logits = super().forward(x)
        return {"mask": logits, "area": logits.mean(dim=(1, 2))}
