# SPDX-License-Identifier: Apache-2.0
"""Nodes and constants of an ONNX graph that is written by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


class NodeList:
    """Nodes and constants of a graph that is being built, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def take(self, model: ModelProto) -> None:
        """Append the nodes and constants of a model."""
        self.nodes += model.graph.node
        self.constants += model.graph.initializer

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> str:
        """Append a node; the name of its output."""
        node = helper.make_node(operator, list(inputs), [output], name=f"{output}:{operator}")
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: NDArray[np.floating] | NDArray[np.integer]) -> str:
        """Append a constant; its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def asinh(self, rows: str, one: str) -> str:
        """Inverse hyperbolic sine, odd and without a loss of digits far from 0, of operators that CUDA has.

        Args:
            rows: any shape.
            one: name of the constant 1.
        """
        size = self.add("Abs", [rows], f"{rows}/size")
        square = self.add("Mul", [size, size], f"{rows}/square")
        root = self.add("Sqrt", [self.add("Add", [square, one], f"{rows}/one_more")], f"{rows}/square_root")
        logarithm = self.add("Log", [self.add("Add", [size, root], f"{rows}/argument")], f"{rows}/logarithm")
        return self.add("Mul", [logarithm, self.add("Sign", [rows], f"{rows}/sign")], f"{rows}/asinh")

    def product(self, rows: str, matrix: NDArray[np.float64], output: str) -> str:
        """Multiply ``(B, D)`` rows with a ``(D, R)`` matrix: ``(B, R)``.

        The rows stand on the left: the other way round ONNX Runtime cuts the sums at places that depend on the batch, and a
        frame would get other bits in a batch than alone.
        """
        return self.add("MatMul", [rows, self.constant(f"{output}/matrix", matrix)], output)
