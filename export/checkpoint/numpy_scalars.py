# SPDX-License-Identifier: Apache-2.0
"""Read pickled NumPy scalars, as the best score of a training, without NumPy's own unpickling."""

import re

import numpy as np

_CODE = re.compile(r"[biuf][1248]")


class ScalarType:
    """Stands for ``numpy.dtype`` in a pickle: a number format by its code, such as ``f8``, and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or _CODE.fullmatch(code) is None:
            raise ValueError(f"expected a number format, got {code!r}")
        self.code, self.order = code, "|"

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"expected a byte order, got {order!r}")
        self.order = str(order)


def read_scalar(kind: ScalarType, data: bytes) -> np.generic:
    """Stands for ``numpy.core.multiarray.scalar`` in a pickle: the number in these bytes."""
    if not (isinstance(kind, ScalarType) and isinstance(data, bytes)):
        raise ValueError(f"expected a number format and bytes, got {type(kind).__name__} and {type(data).__name__}")
    number: np.generic = np.frombuffer(data, np.dtype(kind.order + kind.code), count=1)[0]
    return number
