# SPDX-License-Identifier: Apache-2.0
"""Outputs of ``evaluation.onnx``, which an evaluation compares the score with, and the choice of a graph's outputs.

``evaluation.onnx`` is not for the vehicle. It runs the same network on the same masks as ``segmentation.onnx`` and has two
outputs more:

- ``latent_moments`` ``(B, 2, C)`` float32: mean and log standard deviation of each tapped channel, without any sampling;
- ``output_scores`` ``(B, 4)`` float32: the usual scores of a network's own output, ``OUTPUT_SCORES`` in this order.

``segmentation.onnx`` is cut out of it, so that both compute the same bits.
"""

from collections.abc import Sequence

import onnx
from onnx import ModelProto

EVALUATION = "evaluation.onnx"

OUTPUT_SCORES = ("predictive_entropy", "maximum_softmax", "maximum_logit", "energy")
"""Means over the pixels of a frame, higher = further from the training distribution: the entropy of the class probabilities,
nats; minus the largest probability (Hendrycks and Gimpel 2017); minus the largest logit (Hendrycks et al. 2022); minus the
logarithm of the sum of the logits' exponentials (Liu et al. 2020)."""


def with_outputs(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """Copy a graph with some of its outputs, and without the nodes and constants that only the others need.

    Args:
        model: left as it is.
        outputs: names of outputs of the graph, in the order wanted.

    Raises:
        KeyError: the graph has no such output.
    """
    graph = model.graph
    values = {value.name: value for value in graph.output}
    kept = [values[name] for name in outputs]
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):  # ONNX keeps its nodes in an order in which every value comes before its readers
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            nodes.append(node)
    pruned = onnx.helper.make_graph(
        nodes[::-1],
        graph.name,
        list(graph.input),
        kept,
        [tensor for tensor in graph.initializer if tensor.name in needed],
        value_info=[value for value in graph.value_info if any(value.name in node.output for node in nodes)],
    )
    lean = onnx.helper.make_model(pruned, opset_imports=model.opset_import, ir_version=model.ir_version)
    lean.functions.extend(model.functions)
    onnx.checker.check_model(lean)
    return lean
