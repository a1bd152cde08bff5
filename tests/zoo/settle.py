# SPDX-License-Identifier: Apache-2.0
"""Make a network of the zoo with random weights that tell frames and classes apart; runs where the libraries are installed.

``python settle.py ROW FRAMES WEIGHTS REFERENCE``: the row is JSON, the frames are one array ``(N, H, W, 3)`` uint8. It writes
the weights as the network's users save them, and what the network in evaluation mode gives for the frames. Torch and the
network's library alone are imported, so that it is an oracle of the export.
"""

import importlib
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_BATCH, _LOOKED_AT = 4, 8


def build(model: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Construct the network from its library; constructors that would download weights are told not to."""
    module, _, name = model.partition(":")
    target = getattr(importlib.import_module(module), name)
    switches = ("weights", "weights_backbone", "encoder_weights")
    found = [key for key in switches if key in inspect.signature(target).parameters]
    network: nn.Module = target(**(dict.fromkeys(found) | _values(arguments)))
    return network


def _values(arguments: Any) -> Any:
    """Arguments, in which a mapping with ``class_path`` and ``init_args`` stands for an object."""
    if not isinstance(arguments, Mapping):
        return arguments
    values = {key: _values(value) for key, value in arguments.items()}
    if "class_path" not in values:
        return values
    module, _, name = values["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**values.get("init_args", {}))


def images(frames: np.ndarray[Any, Any], mean: list[float], std: list[float]) -> Tensor:
    """``(N, H, W, 3)`` uint8 to ``(N, 3, H, W)`` float32, normalised."""
    scaled = (torch.from_numpy(frames).float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    return scaled.permute(0, 3, 1, 2).contiguous()


def logits(output: object) -> Tensor:
    """The logits in what the libraries return: a tensor, a dict with ``out``, an object with ``logits``."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        found: Tensor = output["out"] if "out" in output else output["logits"]
        return found
    raise TypeError(f"expected a tensor or a mapping, got {type(output).__name__}")


def settle(network: nn.Module, batch: Tensor, classes: int) -> None:
    """Let running statistics fit the frames, and the classes of the last layer be about as likely as each other."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # a plain mean over the batches
            module.reset_running_stats()
    with torch.no_grad():
        network.train()
        for part in torch.split(batch, _BATCH):
            network(part)
        network.eval()
        called: list[nn.Module] = []
        handles = [
            module.register_forward_hook(lambda module, *_: called.append(module))
            for module in network.modules()
            if _is_head(module, classes)
        ]
        network(batch[:1])
        for handle in handles:
            handle.remove()
        _balance(network, called[-1], batch)


def _is_head(module: nn.Module, classes: int) -> bool:
    outputs = getattr(module, "out_channels", getattr(module, "out_features", None))
    return outputs == classes and isinstance(getattr(module, "weight", None), Tensor)


def _balance(network: nn.Module, head: Any, batch: Tensor) -> None:
    """Scale the network's last layer so that each class has mean 0 and deviation 3 over the frames."""
    values = torch.cat([logits(network(part)) for part in torch.split(batch, _BATCH)])
    deviation, mean = torch.std_mean(values, dim=(0, 2, 3))
    factor = 3 / deviation.clamp_min(1e-12)
    shape = [1] * head.weight.dim()
    shape[1 if isinstance(head, nn.ConvTranspose2d) else 0] = -1
    head.weight.mul_(factor.view(shape))
    if head.bias is not None:
        head.bias.sub_(mean).mul_(factor)


def main(row: str, frames: str, weights: str, reference: str) -> None:
    """Build, settle, save."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network_row = json.loads(row)
    batch = images(np.load(frames), network_row["mean"], network_row["std"])
    sys.path.insert(0, str(Path.cwd()))  # the user's own file
    network = build(network_row["model"], network_row["arguments"])
    settle(network, batch, network_row["classes"])
    torch.save(network.state_dict(), weights)
    with torch.no_grad():
        found = torch.cat([logits(network(image[None])) for image in batch[:_LOOKED_AT]])
    np.savez(reference, logits=found.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
