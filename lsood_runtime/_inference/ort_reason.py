# SPDX-License-Identifier: Apache-2.0
"""Say in one line what ONNX Runtime raised."""

import re

from lsood_runtime._exceptions import one_line

_KNOWN = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .* failed: ?|Failed to load library .* with error: ?(?:[^ :]+: )?"
)


def ort_reason(error: Exception) -> str:
    """The message without the number of the error, and without the path, which the caller names.

    Example:
        >>> ort_reason(ValueError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from a.onnx failed:No model."))
        'No model'
    """
    return _KNOWN.sub("", one_line(error)).rstrip(". ")
