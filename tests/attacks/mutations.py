# SPDX-License-Identifier: Apache-2.0
"""Random changes of files: bits, lengths, blocks, JSON values, parts of ONNX graphs; the same seed gives the same change."""

import hashlib
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import onnx

EXTREMES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e308, -1e308, 5e-324, "", "x", "../x", "\0",
    "é\u202e",     "a" * 5000, [], [[]] * 50, {}, {"": {}}, [1e308] * 100,
]  # fmt: skip
NUMBERS = [-(2**63), -(2**31), -1, 0, 1, 3, 7, 255, 2**31, 2**40, 2**62, 2**63 - 1]
OPERATORS = [
    "Add",
    "MatMul",
    "Gather",
    "Reshape",
    "Expand",
    "Tile",
    "ConstantOfShape",
    "Resize",
    "Pad",
    "Range",
    "OneHot",
    "CumSum",
    "Loop",
    "If",
    "Scan",
    "Cast",
    "Nothing",
]


def mutate_bytes(contents: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, extend, swap or repeat blocks, or put in zeros or 0xff."""
    changed = bytearray(contents)
    kind, size = rng.randrange(8), max(len(changed), 1)
    start, length = rng.randrange(size), rng.choice([1, 2, 8, 64, 1000])
    if kind <= 2:
        for _ in range(rng.choice([1, 1, 2, 8, 64])):
            changed[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif kind == 3:
        del changed[start:]
    elif kind == 4:
        changed += rng.randbytes(rng.choice([1, 100, 10_000]))
    elif kind == 5:
        other = rng.randrange(size)
        changed[start : start + length], changed[other : other + length] = (
            changed[other : other + length],
            changed[start : start + length],
        )
    elif kind == 6:
        changed[start : start + length] = bytes([rng.choice([0, 255])]) * length
    else:
        changed[start:start] = changed[start : start + length] * rng.choice([1, 10])
    return bytes(changed)


def mutate_json(contents: bytes, rng: random.Random) -> bytes:
    """Replace, remove or repeat some values of a JSON object by extremes; or change its text."""
    if rng.random() < 0.2:
        return mutate_bytes(contents, rng)
    document = json.loads(contents)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        node, key = rng.choice(_places(document))
        if rng.random() < 0.15:
            del node[key]
        elif isinstance(node[key], int | float) and rng.random() < 0.4:
            node[key] = node[key] * rng.choice([-1, 0, 1.0000001, 2, 1e6, 1e-6])
        else:
            node[key] = rng.choice(EXTREMES)
        if not _places(document):
            break
    return json.dumps(document).encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or an index of it."""
    if isinstance(tree, dict):
        return [(tree, key) for key in tree] + [place for value in tree.values() for place in _places(value)]
    if isinstance(tree, list):
        return [(tree, i) for i in range(min(len(tree), 5))] + [place for value in tree[:5] for place in _places(value)]
    return []


def mutate_graph(contents: bytes, rng: random.Random) -> bytes:
    """Change one to three things of an ONNX graph, or its bytes."""
    if rng.random() < 0.4:
        return mutate_bytes(contents, rng)
    model = onnx.load_model_from_string(contents)
    graph = model.graph
    for _ in range(rng.choice([1, 1, 2, 3])):
        node, number = rng.choice(graph.node), rng.choice(NUMBERS)
        tensor, value = rng.choice(graph.initializer), rng.choice([*graph.input, *graph.output])
        kind = rng.randrange(12)
        if kind == 0:
            node.op_type = rng.choice(OPERATORS)
        elif kind == 1 and node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice(
                ["", "nowhere", graph.output[0].name, node.output[0]]
            )
        elif kind == 2:
            graph.node.remove(node)
        elif kind == 3 and tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = number
        elif kind == 4:
            tensor.data_type = rng.randrange(26)
        elif kind == 5 and tensor.raw_data:
            tensor.raw_data = mutate_bytes(tensor.raw_data, rng)
        elif kind == 6 and len(tensor.raw_data) == 8:
            tensor.raw_data = number.to_bytes(8, "little", signed=True)
        elif kind == 7:
            value.type.tensor_type.shape.dim[0].dim_value = number
        elif kind == 8:
            for attribute in node.attribute:
                attribute.i = number
                if attribute.ints:
                    attribute.ints[0] = number
        elif kind == 9:
            for entry in tensor.external_data:
                entry.value = rng.choice(["0", "-1", str(2**62), "x", "weights.bin", "../weights.bin", "/etc/hostname"])
        elif kind == 10:
            graph.node.append(node)
        else:
            model.opset_import[0].version = rng.choice([-1, 0, 1, 7, 20, 23, 99, 2**31])
        if not graph.node:
            break
    result: bytes = model.SerializeToString()
    return result


def grow_graph(contents: bytes, rng: random.Random) -> bytes:
    """Let a node of a graph read what becomes large: by a constant size, by a computed one, or by steps that double it."""
    model = onnx.load_model_from_string(contents)
    graph = model.graph
    node = rng.choice([node for node in graph.node if node.input and node.input[0]])
    place, read = list(graph.node).index(node), node.input[0]
    small, much = rng.choice([0, 1, 2, 31]), rng.choice([2**8, 2**20, 2**31, 2**40, 2**62])
    number, made = len(graph.node), list[Any]()

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        made.append(onnx.helper.make_node(kind, inputs, [f"grown{number}_{len(made)}"], **attributes))
        return str(made[-1].output[0])

    size = f"size{number}_{len(graph.initializer)}"
    graph.initializer.append(onnx.helper.make_tensor(size, onnx.TensorProto.INT64, [1], [much]))
    if rng.random() < 0.5:  # as a graph computes it
        size = add("Mul", [size, add("Cast", [add("Size", [read])], to=onnx.TensorProto.INT64)])
    kind = rng.choice(["Expand", "Tile", "ConstantOfShape", "OneHot", "Range", "CumSum", "Pad", "Concat", "Outer"])
    if kind in ("Expand", "Tile"):
        grown = add(kind, [add("Flatten", [read], axis=0), add("Concat", [size, size], axis=0)])
    elif kind == "ConstantOfShape":
        grown = add(kind, [size])
    elif kind in ("OneHot", "Range"):
        depth, one, zero = (add("Squeeze", [size]), add("Constant", [], value_int=1), add("Constant", [], value_int=0))
        pair = add("Constant", [], value_floats=[0.0, 1.0])
        grown = add("OneHot", [size, depth, pair]) if kind == "OneHot" else add("Range", [zero, depth, one])
    elif kind == "CumSum":
        grown = add("CumSum", [add("ConstantOfShape", [size]), add("Constant", [], value_int=0)])
    elif kind == "Pad":
        grown = add(
            "Pad", [add("Reshape", [read, add("Constant", [], value_ints=[-1])]), add("Concat", [size, size], axis=0)]
        )
    else:
        grown = add("Reshape", [read, add("Constant", [], value_ints=[-1])])
        for _ in range(small):
            column = add("Unsqueeze", [grown, add("Constant", [], value_ints=[1])])
            doubled = (
                add("Concat", [grown, grown], axis=0)
                if kind == "Concat"
                else add("MatMul", [column, add("Transpose", [column])])
            )
            grown = doubled if kind == "Concat" else add("Reshape", [doubled, add("Constant", [], value_ints=[-1])])
    total = add("ReduceMax", [add("Cast", [grown], to=onnx.TensorProto.FLOAT)], keepdims=0)
    node.input[0] = add(
        "Add",
        [add("Cast", [read], to=onnx.TensorProto.FLOAT), add("Mul", [total, add("Constant", [], value_float=0.0)])],
    )
    for each in reversed(made):
        graph.node.insert(place, each)
    grown_model: bytes = model.SerializeToString()
    return grown_model


def mutate_archive(path: Path, rng: random.Random) -> bool:
    """Change the bytes of a zip archive, or those of one of its entries, whose checksum is then right.

    Returns:
        Whether the checksums are right, so that nothing tells the change.
    """
    if rng.random() < 0.5:
        path.write_bytes(mutate_bytes(path.read_bytes(), rng))
        return False
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(entries))
    kind = rng.randrange(5)
    if kind == 0:
        del entries[name]
    elif kind == 1:
        entries[rng.choice(["more.npy", "../up.npy", "a" * 300])] = entries[name]
    elif kind == 2:
        head = bytearray(entries[name])
        for _ in range(rng.choice([1, 3])):
            head[rng.randrange(min(len(head), 128))] = rng.choice([*b"0123456789(),<>|fiuO", rng.randrange(256)])
        entries[name] = bytes(head)
    elif kind == 3:
        entries[name] = bytes(rng.choice([0, 10, 10**6, 10**8]))
    else:
        entries[name] = mutate_bytes(entries[name], rng)
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, contents in entries.items():
            archive.writestr(name, contents)
    return True


def make_digests_anew(folder: Path) -> None:
    """Record the files of a bundle as they lie there."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in manifest["files"]:
        contents = (folder / name).read_bytes()
        manifest["files"][name] = {"sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}
    write_manifest_bytes(folder, json.dumps(manifest).encode())


def write_manifest_bytes(folder: Path, contents: bytes) -> None:
    """Write a manifest with its digest."""
    (folder / "manifest.json").write_bytes(contents)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(contents).hexdigest()}  manifest.json\n")
