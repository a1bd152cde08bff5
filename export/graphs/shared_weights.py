# SPDX-License-Identifier: Apache-2.0
"""Store the large constants of several graphs once, in a file beside them, and put them back into a graph."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import BinaryIO

import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from lsood_runtime import BundleError
from lsood_runtime.offline import WEIGHTS_FILE

_SMALLEST_SHARED = 1024
_ALIGNMENT = 64


def share_weights(models: Iterable[ModelProto], file: BinaryIO) -> None:
    """Move the large constants of several graphs into one file, equal ones once; the graphs are changed in place.

    Args:
        models: graphs with their constants inside.
        file: receives the bytes; it must come to lie beside the graphs under the name ``WEIGHTS_FILE``.
    """
    offsets: dict[bytes, int] = {}
    for model in models:
        for tensor in model.graph.initializer:
            if tensor.ByteSize() >= _SMALLEST_SHARED:
                if not tensor.raw_data:  # numbers in a typed field, as scikit-learn's converter writes them
                    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
                key = hashlib.sha256(tensor.raw_data).digest()
                if key not in offsets:
                    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                    offsets[key] = file.tell()
                    file.write(tensor.raw_data)
                _point(tensor, offsets[key])


def load_graph(contents: bytes, weights: Mapping[str, bytes]) -> ModelProto:
    """Parse a graph whose large constants :func:`share_weights` moved out, and put them back.

    Args:
        contents: the serialised graph.
        weights: the files that hold constants, by name.

    Raises:
        BundleError: a constant lies in another file, or outside of its file.
    """
    model = onnx.load_model_from_string(contents)
    for tensor in model.graph.initializer:
        if onnx.external_data_helper.uses_external_data(tensor):
            where = onnx.external_data_helper.ExternalDataInfo(tensor)
            start, length = where.offset or 0, where.length or 0
            values = weights.get(where.location, b"")[start : start + length]
            if len(values) < max(length, 1):
                raise BundleError(
                    f"expected {length} bytes of {tensor.name} at {start} of {where.location}, got {len(values)}: "
                    "export the bundle again"
                )
            tensor.raw_data = values
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model


def _point(tensor: TensorProto, offset: int) -> None:
    onnx.external_data_helper.set_external_data(tensor, WEIGHTS_FILE, offset=offset, length=len(tensor.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
