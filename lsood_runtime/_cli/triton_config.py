# SPDX-License-Identifier: Apache-2.0
"""Write the configurations of Triton Inference Server for the graphs of a bundle, in protobuf's text format.

Three models: the network, the detector behind it, and an ensemble that takes a frame through both, so that a client sends
frames and receives the segmentation, the score and the answers. The fields are those of Triton's ``model_config.proto``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lsood_runtime._bundle.answers_records import AnswersRecord
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._inference.graph import Signature
from lsood_runtime._inference.signatures import signatures

_TYPES = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32", "tensor(double)": "TYPE_FP64"}
_KINDS = {"cpu": "KIND_CPU", "cuda": "KIND_GPU"}

_ESCAPED = {ord(letter): f"\\{letter}" for letter in '"\\'}

NETWORK, DETECTOR = "network", "detector"
"""What stands behind the name of the ensemble in the names of its two models."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How Triton runs the models.

    Attributes:
        name: of the ensemble; its models are called after it.
        provider: ``cpu`` or ``cuda``.
        instances: of each model on each device.
        max_batch: frames of a batch, at most; at least 1.
        delay_us: microseconds that Triton waits for more frames of a batch.
    """

    name: str
    provider: str
    instances: int
    max_batch: int
    delay_us: int

    def model(self, part: str) -> str:
        """Name of one of the models of the ensemble."""
        return f"{self.name}_{part}"


def triton_configs(manifest: Manifest, sha256: str, serving: Serving) -> dict[str, str]:
    """Configuration of each model, by its name, the ensemble last.

    Args:
        manifest: of the bundle.
        sha256: of the manifest's bytes, in hex; a client reads it, threshold and limits from the ensemble's parameters.
        serving: how the models are run.
    """
    of = signatures(manifest)
    network, detector = serving.model(NETWORK), serving.model(DETECTOR)
    given = {name: what for name, what in of.network.items() if name not in of.features}
    parameters = {
        "lsood_manifest_sha256": sha256,
        "lsood_threshold": repr(manifest.threshold.value),
        **({} if manifest.answers is None else _limits(manifest.answers)),
    }
    ensemble = [
        *_head(serving.name, 'platform: "ensemble"', serving),
        *_tensors("input", of.frame),
        *_tensors("output", {**given, **of.detector}, outer=True),
        *_parameters(parameters),
        "ensemble_scheduling {",
        *_step(network, {name: name for name in of.frame}, {name: name for name in of.network}),
        *_step(detector, {name: name for name in of.features}, {name: name for name in of.detector}),
        "}",
    ]
    return {
        network: _text(_graph(network, of.frame, of.network, serving)),
        detector: _text(_graph(detector, of.features, of.detector, serving)),
        serving.name: _text(ensemble),
    }


def _limits(answers: AnswersRecord) -> dict[str, str]:
    """The limits that a client compares the answers with, those alone that the bundle has."""
    values: dict[str, float | None] = {"lsood_novelty_limit": answers.novelty_limit}
    if answers.tiles is not None:
        values |= {"lsood_tile_limit": answers.tiles.limit, "lsood_tile_neighbor_limit": answers.tiles.neighbor_limit}
    if answers.map is not None:
        values |= {
            "lsood_object_limit": answers.map.object_limit,
            "lsood_smallest_object": answers.map.smallest_object,
        }
    return {name: repr(value) for name, value in values.items() if value is not None}


def _graph(name: str, inputs: Signature, outputs: Signature, serving: Serving) -> list[str]:
    """Configuration of one ONNX graph."""
    return [
        *_head(name, 'backend: "onnxruntime"', serving),
        *_tensors("input", inputs),
        *_tensors("output", outputs),
        f"instance_group {{ count: {serving.instances} kind: {_KINDS[serving.provider]} }}",
        f"dynamic_batching {{ max_queue_delay_microseconds: {serving.delay_us} }}",
    ]


def _head(name: str, runs: str, serving: Serving) -> list[str]:
    return [f"name: {_quoted(name)}", runs, f"max_batch_size: {serving.max_batch}"]


def _tensors(side: str, signature: Signature, *, outer: bool = False) -> Iterator[str]:
    """Inputs or outputs behind the batch. Triton takes no tensor without dimensions: such a one is one number to its clients.

    Args:
        side: ``input`` or ``output``.
        signature: of the graph.
        outer: whether they are those of an ensemble, whose models have changed the shape already.
    """
    for name, (kind, shape) in signature.items():
        dims = ", ".join(map(str, shape)) if shape else "1"
        reshape = "" if shape or outer else " reshape { shape: [ ] }"
        yield f"{side} {{ name: {_quoted(name)} data_type: {_TYPES[kind]} dims: [ {dims} ]{reshape} }}"


def _step(model: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Iterator[str]:
    yield "  step {"
    yield f"    model_name: {_quoted(model)}"
    yield "    model_version: -1"
    for side, names in (("input_map", inputs), ("output_map", outputs)):
        for key, value in names.items():
            yield f"    {side} {{ key: {_quoted(key)} value: {_quoted(value)} }}"
    yield "  }"


def _parameters(values: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        yield f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(value)} }} }}"


def _quoted(text: str) -> str:
    """A string of the text format: quotes and backslashes escaped, what is not ASCII in octal digits of its UTF-8 bytes."""
    letters = text.encode("utf-8", "backslashreplace")
    return (
        '"'
        + "".join(_ESCAPED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in letters)
        + '"'
    )


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
