# SPDX-License-Identifier: Apache-2.0
"""In what numbers a provider computes, by its options."""

from typing import Any

import pytest

from lsood_runtime._certificate.machine import arithmetic
from tests.lsood_runtime.certificate.altered_provider import OPENVINO


@pytest.mark.parametrize(
    ("precision", "provider", "words"),
    [
        ("fp32", ("CPUExecutionProvider", {}), "fp32"),
        ("fp32", ("CUDAExecutionProvider", {}), "fp32 with TF32"),
        ("fp32", ("CUDAExecutionProvider", {"use_tf32": 0}), "fp32 with TF32 off"),
        ("fp16", ("CUDAExecutionProvider", {"use_tf32": "1"}), "fp16"),
        ("fp32", ("TensorrtExecutionProvider", {"trt_fp16_enable": True}), "fp32 with TF32, fp16"),
        ("int8-tensorrt", ("TensorrtExecutionProvider", {"trt_int8_enable": "1"}), "int8-tensorrt, int8"),
        ("fp32", (OPENVINO, {"precision": "ACCURACY"}), "fp32, precision ACCURACY"),
    ],
)
def test_arithmetic_tells_the_numbers_apart(precision: str, provider: tuple[str, dict[str, Any]], words: str) -> None:
    assert arithmetic(precision, provider) == words
