# SPDX-License-Identifier: Apache-2.0
"""Outputs of ``evaluation.onnx``, which detectors are fitted to and compared on, and the choice of a graph's outputs.

``evaluation.onnx`` is not for the vehicle. It runs the same network on the same masks as ``segmentation.onnx`` and gives
every feature of a frame, each as an output under the name of its key (:mod:`export.features.key`). ``segmentation.onnx`` is
cut out of it, so that both compute the same bits.
"""

from collections.abc import Mapping, Sequence

import onnx
from onnx import ModelProto

from export.features.key import OUTPUT_FEATURES, PICTURE, PICTURE_SPREAD, FeatureKey

EVALUATION = "evaluation.onnx"
SEGMENTATION = "segmentation"
MAP_STRIDE, _FINEST, _COARSEST = 4, 8, 32
"""Pixels of the picture from one cell to the next: of the anomaly map, where the output is as fine, and of the layers that it
may read. A layer of stride 4 alone costs 2 % of a ResNet-50 frame, one of stride 8 a third of that (benchmarks/NOTES.md)."""

FEWEST_MAP_CELLS = 4
"""Rows and columns of an anomaly map, at least."""

_LEAST_CELLS = 3
"""Rows and columns of cells of a map in one tile, at least: coarser maps mix what lies in a tile with what lies beside it."""


def evaluation_features(
    layers: Sequence[str],
    *,
    segmented: bool,
    tiles: Sequence[FeatureKey] = (),
    maps: Sequence[FeatureKey] = (),
) -> tuple[FeatureKey, ...]:
    """Keys of every feature of a frame, in the order of the outputs.

    Args:
        layers: whose moments are observed.
        segmented: whether the network gives its output.
        tiles: keys of what is read tile by tile, where the bundle is to tell which tiles are abnormal.
        maps: keys of the maps that an anomaly map may be made of, where the bundle is to give one.
    """
    of_output = OUTPUT_FEATURES if segmented else ()
    return (
        FeatureKey.entropy(),
        *map(FeatureKey.moments, layers),
        *tiles,
        PICTURE,
        PICTURE_SPREAD,
        *of_output,
        *maps,
    )


def tile_features(maps: Mapping[str, tuple[int, int]], rows: int, columns: int) -> tuple[FeatureKey, ...]:
    """Keys of the moments of layers tile by tile, and of the numbers of the same tiles of the picture.

    A map is read where each tile has three rows and columns of its cells, or more. Where no map is so large, the largest
    one is read in fewer tiles.

    Args:
        maps: rows and columns of the layers' maps.
        rows: of tiles that are wanted.
        columns: of tiles that are wanted.

    Returns:
        None where there is no map of three rows and columns.
    """
    most = {layer: (height // _LEAST_CELLS, width // _LEAST_CELLS) for layer, (height, width) in maps.items()}
    chosen = [layer for layer, (down, across) in most.items() if down >= rows and across >= columns]
    if not chosen and most:
        largest = max(most.values(), key=lambda tiles: min(tiles[0], rows) * min(tiles[1], columns))
        rows, columns = min(rows, largest[0]), min(columns, largest[1])
        chosen = [layer for layer, tiles in most.items() if tiles == largest]
    if not (chosen and rows and columns):
        return ()
    return *(FeatureKey.tiles(layer, rows, columns) for layer in chosen), FeatureKey.picture_tiles(rows, columns)


def map_features(
    layers: Mapping[str, tuple[int, int]],
    logits: tuple[int, int],
    seen: tuple[int, int],
    pad: tuple[int, int] = (0, 0),
) -> tuple[FeatureKey, ...]:
    """Keys of the maps that an anomaly map may be made of: that of the logits, then those of layers of strides 8 to 32.

    Args:
        layers: rows and columns of the layers' maps, padding included.
        logits: rows and columns of the network's output, without padding.
        seen: rows and columns of the picture that the network sees, without padding.
        pad: rows and columns of padding.

    Returns:
        The map of the logits has a cell at every fourth row and column of the picture, as nearly as those of the output
        allow, or is the whole output where that is coarser. None at all where it would have fewer than four rows or columns.
    """
    rows, columns = (
        -(-cells // max(round(MAP_STRIDE * cells / length), 1)) for cells, length in zip(logits, seen, strict=True)
    )
    if min(rows, columns) < FEWEST_MAP_CELLS:
        return ()
    found = [FeatureKey.logit_map(rows, columns)]
    for layer, cells in layers.items():
        whole = [length + more for length, more in zip(seen, pad, strict=True)]
        strides = [length / count for length, count in zip(whole, cells, strict=True)]
        if min(strides) >= _FINEST and max(strides) <= _COARSEST:
            kept = (
                -(-count * length // all_of_it) for count, length, all_of_it in zip(cells, seen, whole, strict=True)
            )
            found.append(FeatureKey.feature_map(layer, *kept))
    return tuple(found)


def output_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shape behind the batch of every output of a graph that gives features, by name."""
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]) for value in model.graph.output
    }


def vehicle_graph(evaluation: ModelProto, features: Sequence[str]) -> ModelProto:
    """Cut ``segmentation.onnx`` out of ``evaluation.onnx``: the segmentation, where there is any, and some features.

    Args:
        evaluation: with every feature.
        features: names of those that the detector reads, in its order.

    Raises:
        KeyError: the graph does not give one of them.
    """
    segmented = any(output.name == SEGMENTATION for output in evaluation.graph.output)
    return with_outputs(evaluation, [*([SEGMENTATION] if segmented else []), *features])


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
    made = {name for node in nodes for name in node.output}
    pruned = onnx.helper.make_graph(
        nodes[::-1],
        graph.name,
        list(graph.input),
        kept,
        [tensor for tensor in graph.initializer if tensor.name in needed],
        value_info=[value for value in graph.value_info if value.name in made],
    )
    lean = onnx.helper.make_model(pruned, opset_imports=model.opset_import, ir_version=model.ir_version)
    lean.functions.extend(model.functions)
    onnx.checker.check_model(lean)
    return lean
