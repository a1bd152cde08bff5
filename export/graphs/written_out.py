# SPDX-License-Identifier: Apache-2.0
"""Operations without an ONNX form, or to which torch.onnx gives wrong values, written out in others for a conversion."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten


class WrittenOut(TorchFunctionMode):
    """While it is entered, the operations of the table compute what they are, by operations that have an ONNX form."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands in its place."""
        return _FORMS.get(func, func)(*args, **(kwargs or {}))


def _rrelu(
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,  # noqa: ARG001
    generator: object = None,  # noqa: ARG001
) -> Tensor:
    """Of evaluation mode, which draws nothing: the mean slope. A network that draws is refused before it is converted."""
    return F.leaky_relu(x, (lower + upper) / 2)


def _rrelu_with_noise(x: Tensor, noise: Tensor, *constants: Any) -> tuple[Tensor, Tensor]:
    """What torch makes of the one in place."""
    return _rrelu(x, *constants), noise


def _scatter_reduce(
    x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """``mean``, of which torch.onnx makes the sum without a word, as a sum by a count; others as they are."""
    src = _as_index(src, index)
    if reduce != "mean":
        reduced: Tensor = _aten.scatter_reduce.two(x, dim, index, src, reduce, include_self=include_self)
        return reduced
    total: Tensor = _aten.scatter_reduce.two(x, dim, index, src, "sum", include_self=include_self)
    count = torch.ones_like(x) if include_self else torch.zeros_like(x)
    return total / count.scatter_add(dim, index, torch.ones_like(src)).clamp(min=1)


def _scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    added: Tensor = _aten.scatter_add.default(x, dim, index, _as_index(src, index))
    return added


def _index_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    places = index.view([-1 if d == dim % x.dim() else 1 for d in range(x.dim())]).expand_as(source)
    return _scatter_reduce(x, dim, places, source, reduce, include_self=include_self)


def _scatter_with(x: Tensor, dim: int, index: Tensor, src: Tensor | float, *, reduce: str) -> Tensor:
    values = src if isinstance(src, Tensor) else torch.full_like(index, src, dtype=x.dtype)
    return _scatter_reduce(x, dim, index, values, {"add": "sum", "multiply": "prod"}[reduce])


def _as_index(src: Tensor, index: Tensor) -> Tensor:
    """The part of a source that an index reads: ONNX wants both of one shape."""
    for dim, (size, wanted) in enumerate(zip(src.shape, index.shape, strict=True)):
        if isinstance(size, int) and isinstance(wanted, int) and size != wanted:
            src = src.narrow(dim, 0, wanted)
    return src


def _in_place(form: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def written(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return x.copy_(form(x, *args, **kwargs))

    return written


_FORMS: Mapping[object, Callable[..., Any]] = {
    _aten.rrelu.default: _rrelu,
    _aten.rrelu_.default: _in_place(_rrelu),
    _aten.rrelu_with_noise_functional.default: _rrelu_with_noise,
    _aten.scatter_reduce.two: _scatter_reduce,
    _aten.scatter_reduce_.two: _in_place(_scatter_reduce),
    _aten.scatter_add.default: _scatter_add,
    _aten.scatter_add_.default: _in_place(_scatter_add),
    _aten.scatter.reduce: _scatter_with,
    _aten.scatter_.reduce: _in_place(_scatter_with),
    _aten.scatter.value_reduce: _scatter_with,
    _aten.scatter_.value_reduce: _in_place(_scatter_with),
    _aten.index_reduce.default: _index_reduce,
    _aten.index_reduce_.default: _in_place(_index_reduce),
}
