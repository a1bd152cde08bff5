# SPDX-License-Identifier: Apache-2.0
"""Taps: list the layers of a network, and find those that a user names."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from export.errors import TapError
from export.findings import PLACEHOLDER
from export.layers.dropblock import is_drop_block
from export.layers.feature_layout import channel_dim, map_layout
from export.layers.randomness import MaskedRandomness
from export.layers.stochastic import recognise
from export.sampling.capture_errors import FixedBatch, capture_error
from export.sampling.python_state import state_put_back


@dataclass(frozen=True)
class LayerInfo:
    """One call of one layer.

    Attributes:
        name: as ``network.named_modules()`` has it.
        class_name: of the layer.
        output_shape: ``(B, ...)``; None where the output is not one tensor.
        parameters_so_far: parameters of every layer that has ended by then, each counted once.
        stochastic: the randomness of the layer in words; None for a deterministic one.
        channel_dim: dimension of the output that holds the channels.
    """

    name: str
    class_name: str
    output_shape: tuple[int, ...] | None
    parameters_so_far: int
    stochastic: str | None
    channel_dim: int

    @property
    def channels(self) -> int | None:
        """C of the output; None where it is not one tensor."""
        return None if self.output_shape is None else self.output_shape[self.channel_dim]

    @property
    def grid(self) -> tuple[int, ...] | None:
        """Rows and columns of a map, or the number of tokens; None for everything else."""
        if self.output_shape is None or len(self.output_shape) not in (3, 4):
            return None
        return tuple(length for dim, length in enumerate(self.output_shape) if dim not in (0, self.channel_dim))


def list_layers(network: nn.Module, example: Tensor) -> list[LayerInfo]:
    """Run the network once and note every layer as it ends: inner layers before the ones that hold them.

    It runs on tensors that have a shape and no values, which takes next to no time and memory; a network that asks for
    values is run on the example itself.

    Args:
        network: in evaluation mode.
        example: ``(B, 3, H, W)`` float, an input of the network.

    Raises:
        ValueError: the network, or a part of it, is in training mode.
        ConversionError: the network raises an exception; the message has the line of its code, and the remedy.
    """
    check_evaluation_mode(network)
    shapes = FakeTensorMode(allow_non_fake_inputs=True)
    try:
        with state_put_back(network), shapes, _UntouchedShapes():
            return _noted_layers(network, shapes.from_tensor(example))
    except Exception:  # of whatever cannot be done without values; what fails with them is told by the run below
        return _noted_layers(network, example)


class ListedLayers:
    """The layers of a network, listed for two frames when they are first asked for and then kept.

    Two frames tell layers whose outputs have the frames first from others; the stages of an export read one listing.

    Args:
        network: in evaluation mode.
        example: ``(B, 3, H, W)`` float, an input of the network, whose first frame is taken twice.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        self._network, self._example = network, example

    @cached_property
    def all(self) -> tuple[LayerInfo, ...]:
        """As :func:`list_layers` gives them.

        Raises:
            ValueError: the network, or a part of it, is in training mode.
            ConversionError: the network raises an exception.
        """
        return tuple(list_layers(self._network, self._example[:1].repeat(2, 1, 1, 1)))


class _UntouchedShapes(TorchFunctionMode):
    """While it is entered, batch norms in evaluation mode give tensors of their inputs' shapes, and compute nothing.

    On tensors without values torch goes through their arithmetic step by step, which takes most of a listing's time.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or give the shape of its output."""
        given = kwargs or {}
        if func is F.batch_norm and not (args[5] if len(args) > 5 else given.get("training", False)):
            return torch.empty_like(args[0] if args else given["input"])
        return func(*args, **given)


def _noted_layers(network: nn.Module, example: Tensor) -> list[LayerInfo]:
    layers: list[LayerInfo] = []
    counted: dict[nn.Parameter, int] = {}
    image = (example.shape[-2], example.shape[-1])

    def note(name: str, module: nn.Module, output: object) -> None:
        counted.update((parameter, parameter.numel()) for parameter in nn.Module.parameters(module, recurse=False))
        shape = tuple(output.shape) if isinstance(output, Tensor) else None
        usual = channel_dim(len(shape or ()))
        channels = usual if shape is None or len(shape) != 4 else map_layout(shape, image, module).channel_dim
        words = _in_words(module)
        layers.append(LayerInfo(name, type(module).__name__, shape, sum(counted.values()), words, channels))

    handles = [
        module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        for name, module in network.named_modules()
        if name and not isinstance(module, torch.jit.ScriptModule)  # which takes no hooks
    ]
    try:
        with torch.no_grad():
            network(example)
    except Exception as error:  # a user's network, which ran on one frame, may raise anything for two
        raise capture_error(error, network, FixedBatch()) from error
    finally:
        for handle in handles:
            handle.remove()
    return layers


def check_evaluation_mode(network: nn.Module) -> None:
    """Refuse a network that is in training mode, wholly or in part.

    Raises:
        ValueError: the network, or a part of it, is in training mode.
    """
    training = [name or type(network).__name__ for name, module in network.named_modules() if module.training]
    if training:
        raise ValueError(f"expected a network in evaluation mode, {training[0]} is in training mode: call eval()")


def _in_words(module: nn.Module) -> str | None:
    if isinstance(module, nn.MultiheadAttention) and module.dropout > 0:
        return f"attention dropout(p={module.dropout:g}), not sampled"
    found = recognise(module)
    if found is None:
        return None
    return str(found) if isinstance(found, MaskedRandomness) else f"{found}, not sampled"


def resolve_taps(network: nn.Module, names: Sequence[str] | None) -> tuple[str, ...]:
    """Find the layers that a user names, or the one DropBlock layer.

    Args:
        network: holds the layers.
        names: layers to sample, in the order of the latent's parts; None or none for the network's one DropBlock layer.

    Raises:
        TapError: there is no such layer, a layer is named twice, or none is named and there is not exactly one
            DropBlock layer.
    """
    if not names:
        return (_only_drop_block(network),)
    check_names(network, names, "--tap")
    return tuple(names)


def check_names(network: nn.Module, names: Sequence[str], flag: str) -> None:
    """Refuse names of layers that a network does not have.

    Args:
        network: holds the layers.
        names: of layers.
        flag: that they were typed behind.

    Raises:
        TapError: there is no such layer, or a layer is named twice.
    """
    known = [name for name, _ in network.named_modules() if name]
    for name in names:
        if name not in known:
            near = _near(name, known)
            right = _meant(name, known) or (near[0] if len(near) == 1 else PLACEHOLDER)
            raise TapError(
                f"expected the name of a layer, got {name!r}: {_in_words_near(near, known)}",
                words=(flag, *(right if each == name else each for each in names)),
            )
    repeated = [name for name in names if list(names).count(name) > 1]
    if repeated:
        raise TapError(
            f"expected each layer once, got {repeated[0]!r} twice: remove one", words=(flag, *dict.fromkeys(names))
        )


def _only_drop_block(network: nn.Module) -> str:
    blocks: list[str] = [name for name, module in network.named_modules() if is_drop_block(module)]
    if len(blocks) == 1:
        return blocks[0]
    if blocks:
        raise TapError(f"expected one DropBlock layer, found {len(blocks)}: choose by --tap among {_some(blocks)}")
    dropout = [name for name, module in network.named_modules() if recognise(module)]
    if dropout:
        raise TapError(
            f"expected one DropBlock layer, found none: choose by --tap a layer at or behind {_some(dropout)}"
        )
    parts = [name for name, _ in network.named_children()]
    raise TapError(
        "expected one DropBlock layer, found no stochastic layer: choose any layer by --tap (--list-layers shows "
        f"them) and give --drop-prob and --block-size; the network's parts are {_some(parts)}"
    )


def _near(name: str, known: Sequence[str]) -> list[str]:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    last_parts = [other for other in known if other.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]]
    return list(dict.fromkeys([*last_parts, *_ends_alike(name, known), *near]))  # users often type the last part alone


def _meant(name: str, known: Sequence[str]) -> str | None:
    """The one layer whose last parts were typed, or whose name was misspelt; layers inside it do not count beside it."""
    near = (
        [other for other in known if other.endswith(f".{name}")]
        or difflib.get_close_matches(name, known, 4, 0.75)
        or _ends_alike(name, known)
    )
    others = [other for other in near[1:] if not other.startswith(f"{near[0]}.")]
    return near[0] if near and not others else None


def _ends_alike(name: str, known: Sequence[str]) -> list[str]:
    """The layers whose last parts, as many as were typed, are nearly the name: ``backbone.layer3`` for ``layr3``."""
    count = name.count(".") + 1
    ends = {other: ".".join(other.split(".")[-count:]) for other in known}
    alike = difflib.get_close_matches(name, set(ends.values()), 4, 0.75)
    return [other for end in alike for other in known if ends[other] == end]


def _in_words_near(near: Sequence[str], known: Sequence[str]) -> str:
    return (
        f"the nearest are {_some(near)}" if near else f"the network has {len(known)} layers, --list-layers shows them"
    )


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
