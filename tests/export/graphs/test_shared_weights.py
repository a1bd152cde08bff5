# SPDX-License-Identifier: Apache-2.0
"""Constants moved out of graphs into one file, and back."""

import io

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.graphs.shared_weights import load_graph, share_weights
from lsood_runtime import BundleError
from lsood_runtime.offline import WEIGHTS_FILE

LARGE = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
SMALL = np.arange(30, dtype=np.float32)


def graph(*constants: np.ndarray) -> ModelProto:
    """Adds constants to its input."""
    names = [f"constant_{i}" for i in range(len(constants))]
    tensors = [numpy_helper.from_array(values, name) for values, name in zip(constants, names, strict=True)]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [40, 30])
    total = helper.make_tensor_value_info("y", TensorProto.FLOAT, [40, 30])
    node = helper.make_node("Sum", ["x", *names], ["y"])
    return helper.make_model(helper.make_graph([node], "sum", [value], [total], tensors))


def shared(*models: ModelProto) -> bytes:
    file = io.BytesIO()
    share_weights(models, file)
    return file.getvalue()


def test_load_graph_of_shared_weights_gives_the_graph_before() -> None:
    first, second = graph(LARGE, SMALL), graph(SMALL, LARGE + 1, LARGE)
    expected = [model.SerializeToString(deterministic=True) for model in (first, second)]
    weights = {WEIGHTS_FILE: shared(first, second)}
    assert len(weights[WEIGHTS_FILE]) < 3 * LARGE.nbytes, "the constant of both lies there once"
    for model, before in zip((first, second), expected, strict=True):
        loaded = load_graph(model.SerializeToString(), weights)
        onnx.checker.check_model(loaded)
        assert loaded.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(("name", "cut"), [("other.bin", 0), (WEIGHTS_FILE, 1), (WEIGHTS_FILE, LARGE.nbytes)])
def test_load_graph_of_weights_that_are_not_there_is_refused(name: str, cut: int) -> None:
    model = graph(LARGE)
    whole = shared(model)
    with pytest.raises(BundleError, match=r"expected 4800 bytes of constant_0 at 0 of weights\.bin"):
        load_graph(model.SerializeToString(), {name: whole[: len(whole) - cut]})
