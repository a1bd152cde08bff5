# SPDX-License-Identifier: Apache-2.0
"""Choose the tensor of a network's output that is its segmentation: what a user says, or the only one that it can be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from export.checkpoint.chosen_output import ChosenOutput, network_name, output_choice, whole_network
from export.checkpoint.other_methods import with_method
from export.checkpoint.probe import check_channels_first, check_logits, run_once
from export.checkpoint.returned import ReturnedTensor, describe, find_part, returned_tensors
from export.checkpoint.unwrapped import refuse_scripted_layers
from export.errors import ConversionError
from export.findings import PLACEHOLDER, Finding, Origin

USUAL_NAMES = ("out", "logits")
"""Names under which libraries return the segmentation: torchvision's and transformers'."""

_BESIDE = re.compile(r"aux|deep_?(supervision|outputs)|ds_?outputs|hidden_state|attentions|feature")
"""Parts of the names under which libraries return what is beside the segmentation: auxiliary heads and inner maps."""

_NONE = "leave the segmentation out by --segmentation none"
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """A network whose output was chosen.

    Attributes:
        network: returns the tensor alone; the network itself where it does so already.
        logits_shape: ``(K, h, w)``; None where there is to be no segmentation.
        findings: what is taken and why.
    """

    network: nn.Module
    logits_shape: tuple[int, int, int] | None
    findings: tuple[Finding, ...]


def choose_output(
    network: nn.Module, example: Tensor, kind: str, *, method: str | None = None, output: str | None = None
) -> NetworkOutput:
    """Run a network once, and choose the tensor that is its segmentation.

    Without ``output`` it is the only tensor; of several the one named ``out`` or ``logits``, where the others that could be
    it have names of auxiliary outputs; else the only ``(B, K, h, w)`` one. Nothing is guessed between two.

    Args:
        network: in evaluation mode.
        example: ``(1, 3, H, W)`` float32.
        kind: of the segmentation; ``none`` accepts every output.
        method: name of a method or of a part that is called in place of ``forward``, as by
            :func:`export.checkpoint.other_methods.with_method`.
        output: the way to the tensor, by names or indices with dots between them.

    Raises:
        ConversionError: the network has no such method or output, raises an exception, or returns nothing that can be a
            segmentation, or several that can, or a map whose channels come last.
    """
    called = with_method(network, method)
    choice = output_choice(called)
    with refuse_scripted_layers(called):
        returned = run_once(called, example)
    if kind == "none":
        if output is not None:
            raise ConversionError(
                f"expected no --output with --segmentation none, got {output}: leave one of them out",
                without=("--output",),
            )
        whole = (
            called
            if isinstance(returned, Tensor)
            else ChosenOutput(whole_network(network), replace(choice, dropped=True))
        )
        return NetworkOutput(whole, None, ())
    found, origin, why = _chosen(network_name(network), returned, kind, output)
    squeezed = kind == "binary" and found.tensor.dim() == 3
    if found.tensor.dim() in (3, 4) and not found.tensor.is_floating_point():
        raise ConversionError(
            f"expected logits of the network, got {describe(found.tensor)}, which are class ids and have no scores: return "
            f"what comes before the argmax, take it by --output or --method, or {_NONE}"
        )
    tensor = found.tensor.unsqueeze(1) if squeezed else found.tensor
    if tensor.dim() == 3:
        raise ConversionError(
            f"expected (B, K, h, w) logits of the network, got {describe(tensor)}: if it is one logit or probability for "
            f"each pixel of the second of two classes, give --segmentation binary, else {_NONE}",
            words=("--segmentation", "binary"),
        )
    if squeezed:
        origin, why = "guessed", f"{why}, taken for one channel that was squeezed away"
    if not squeezed and tensor.dim() == 4:
        check_channels_first(tensor, example)
    if found.names or squeezed:
        called = ChosenOutput(whole_network(network), replace(choice, names=found.names, squeezed=squeezed))
    words = ("--output", found.label) if found.names else ()
    finding = Finding("output", str(found).strip(), origin, why, words)
    return NetworkOutput(called, check_logits(tensor, kind), (finding,))


def _chosen(name: str, returned: object, kind: str, output: str | None) -> tuple[ReturnedTensor, Origin, str]:
    """The tensor, and how it was found."""
    found = list(returned_tensors(returned))
    if not found:
        raise ConversionError(
            f"expected tensors of {name}, it returned {type(returned).__name__} without any: wrap it in a module that "
            f"returns its logits, or {_NONE}"
        )
    if output is not None:
        return _named(name, returned, found, kind, output), "given", f"--output {output}"
    if isinstance(returned, Tensor):
        return found[0], "found", "the one tensor that the network returns"
    if len(found) == 1:
        return found[0], "found", "the only tensor"
    usual = [item for item in found if not {*item.names}.isdisjoint(USUAL_NAMES)]
    fitting = _fitting(usual or found, kind)
    rivals = _rivals(usual, found, kind)
    if len(fitting) != 1 or rivals or (not usual and _is_of_queries(fitting[0], found)):
        raise _several(f"one (B, K, h, w) tensor of {name}", found, [*fitting, *rivals], kind)
    why = "by its name" if usual else "the only (B, K, h, w)"
    return fitting[0], "guessed", f"{why}, of {_labels(found)}"


def _rivals(usual: Sequence[ReturnedTensor], found: Sequence[ReturnedTensor], kind: str) -> list[ReturnedTensor]:
    """Those beside the ones of a usual name that could be the segmentation too: by their names nothing tells them apart.

    One channel is no segmentation into classes, so it does not compete with many unless the segmentation is binary.
    """
    named = {item.label for item in usual}
    rest = [item for item in found if named and item.label not in named]
    others = [item for item in rest if not (_is_beside(item) or _is_of_queries(item, found))]
    many = kind != "binary" and any(_channels(item) > 1 for item in _fitting(usual, kind))
    return [item for item in _fitting(others, kind) if not many or _channels(item) > 1]


def _is_beside(item: ReturnedTensor) -> bool:
    return any(_BESIDE.search(name.lower()) for name in item.names)


def _channels(item: ReturnedTensor) -> int:
    return item.tensor.shape[1] if item.tensor.dim() == 4 else 1


def _named(name: str, returned: object, found: Sequence[ReturnedTensor], kind: str, output: str) -> ReturnedTensor:
    if isinstance(returned, Tensor):
        raise ConversionError(
            f"expected a network with several outputs for --output {output}, {name} returns one tensor "
            f"{describe(returned)}: leave --output out",
            without=("--output",),
        )
    part = find_part(returned, output)
    inside = [] if part is None else list(returned_tensors(part[1], part[0]))
    fitting = inside if len(inside) == 1 else _fitting(inside, kind)
    if len(fitting) != 1:
        shown = inside or found
        which = f"one (B, K, h, w) tensor at --output {output}" if inside else f"an output {output}"
        raise _several(f"{which} of {name}", shown, _fitting(shown, kind), kind)
    return fitting[0]


def _fitting(found: Sequence[ReturnedTensor], kind: str) -> list[ReturnedTensor]:
    """Those that can be a segmentation; one logit for each pixel counts where there is no map with channels."""
    floats = [item for item in found if item.tensor.is_floating_point()]
    maps = [item for item in floats if item.tensor.dim() == 4]
    return maps or [item for item in floats if kind == "binary" and item.tensor.dim() == 3]


def _is_of_queries(item: ReturnedTensor, found: Sequence[ReturnedTensor]) -> bool:
    """Whether a map has a channel for each query of a mask classification, as MaskFormer's does: its classes stand beside."""
    queries = item.tensor.shape[1]
    return item.tensor.dim() == 4 and any(
        other.tensor.dim() == 3 and other.tensor.shape[1] == queries for other in found
    )


def _labels(found: Sequence[ReturnedTensor]) -> str:
    labels = [item.label for item in found]
    return ", ".join(labels[:_SHOWN]) + (f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else "")


def _several(
    expected: str, found: Sequence[ReturnedTensor], fitting: Sequence[ReturnedTensor], kind: str
) -> ConversionError:
    """An error that lists all tensors with their shapes, and the flags that take one."""
    texts = [str(item) for item in found]
    listed = ", ".join(texts[:_SHOWN]) + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")
    ways = [f"--output {item.label}{_kind_flag(item, kind)}" for item in fitting[:_SHOWN]]
    words: tuple[str, ...] = ("--output", fitting[0].label if len(fitting) == 1 else PLACEHOLDER) if fitting else ()
    remedy = f"give {' or '.join(ways)}" if ways else "wrap it in a module that returns its logits"
    squeezed = [item for item in found if item.tensor.dim() == 3 and item.tensor.is_floating_point()]
    if not fitting and len(squeezed) == 1:
        words = ("--segmentation", "binary")
        remedy = f"give --segmentation binary if {squeezed[0].label} is one logit or probability a pixel, else {remedy}"
    return ConversionError(f"expected {expected}, it returned {listed}: {remedy}, or {_NONE}", words=words)


def _kind_flag(item: ReturnedTensor, kind: str) -> str:
    """The flag without which a tensor of its number of channels is refused; empty where none is needed."""
    one = _channels(item) == 1
    return "" if one == (kind == "binary") else f" --segmentation {'binary' if one else 'classes'}"
