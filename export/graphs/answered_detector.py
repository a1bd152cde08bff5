# SPDX-License-Identifier: Apache-2.0
"""Put the graph of the answers beside the score into ``detector.onnx``, and take it out of it again."""

from collections.abc import Sequence

import onnx
import onnx.compose
from onnx import ModelProto, helper

from export.graphs.evaluation_outputs import with_outputs
from lsood_runtime.offline import ANSWER_OUTPUTS

_PREFIX = "answers/"


def own_names(answers: ModelProto) -> ModelProto:
    """The graph with names that no other has, but for its inputs and outputs."""
    return onnx.compose.add_prefix(answers, _PREFIX, rename_inputs=False, rename_outputs=False)


def answered_detector(detector: ModelProto, answers: ModelProto) -> ModelProto:
    """Join the graphs from features to the score and to the answers; features that both read are one input.

    Args:
        detector: features to the score.
        answers: features to answers, of names of its own as :func:`own_names` gives them.
    """
    taken = {value.name for value in detector.graph.input}
    graph = helper.make_graph(
        [*detector.graph.node, *answers.graph.node],
        "detector",
        [*detector.graph.input, *(value for value in answers.graph.input if value.name not in taken)],
        [*detector.graph.output, *answers.graph.output],
        [*detector.graph.initializer, *answers.graph.initializer],
        value_info=[*detector.graph.value_info, *answers.graph.value_info],
    )
    model = helper.make_model(graph, opset_imports=detector.opset_import, ir_version=detector.ir_version)
    onnx.checker.check_model(model, full_check=True)
    return model


def answers_of(detector: ModelProto, names: Sequence[str] = ANSWER_OUTPUTS) -> ModelProto:
    """Take the graph of the answers out of a detector's that has them, or of those of some names."""
    given = {value.name for value in detector.graph.output}
    answers = with_outputs(detector, [name for name in names if name in given])
    read = {name for node in answers.graph.node for name in node.input}
    inputs = [value for value in answers.graph.input if value.name in read]
    del answers.graph.input[:]
    answers.graph.input.extend(inputs)
    onnx.checker.check_model(answers)
    return answers
