# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.gpu_pack make OUT``: networks, frames and expected values for a machine with a GPU.

The networks' weights are random, so that they travel as seeds: the pack's own script draws them where it runs. What it
measures is told by :mod:`benchmarks.gpu_pack_run`, and ``python -m benchmarks.report`` reads what it writes.
"""

import argparse
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.external_data_helper import set_external_data

from benchmarks import gpu_pack_run
from benchmarks.answered_networks import ALL_ANSWERS, answered_models, forget
from benchmarks.gpu_pack_run import PACK, RESULTS, SCHEMA, PackError, drawn, positive, start, write_weights
from benchmarks.networks import Subject, subject
from export.errors import ExportError
from export.graphs.fused import fused_graph
from export.graphs.segmentation import BareNetwork, segmentation_graph
from export.precision.float16 import to_float16
from export.precision.network_body import CONVOLUTIONS

BACKBONES, SIZES, SAMPLES = ("resnet18", "resnet50", "resnet101"), ((256, 512), (512, 1024)), (16, 128)
PRECISIONS: Mapping[str, np.dtype[Any]] = {"fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16)}
FRAMES = 3
LARGEST_SIDE = 4096
LARGEST_PART = 60 * 10**6
"""Bytes that are carried in one go."""


@dataclass(eq=False)
class Weights:
    """The weights of one network's graphs in one precision: a file that is drawn from seeds where it is needed.

    Attributes:
        name: of the file.
        dtype: of its numbers.
        tensors: seed, count, deviation and dtype of each, in their order.
        places: offset and length of each in the file, by the digest of its numbers.
        length: of the file, bytes.
        digest: of all its numbers.
    """

    name: str
    dtype: np.dtype[Any]
    tensors: list[dict[str, Any]] = field(default_factory=list)
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    length: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, seed: int, count: int, deviation: float) -> None:
        """Put a tensor behind the others, unless it is among them."""
        numbers = drawn(seed, count, deviation).astype(self.dtype).tobytes()
        digest = hashlib.sha256(numbers).digest()
        if digest in self.places:
            return
        self.places[digest] = (self.length, len(numbers))
        self.tensors.append({"seed": seed, "count": count, "deviation": deviation, "dtype": self.dtype.name})
        self.length += len(numbers)
        self.digest.update(numbers)

    def told(self) -> dict[str, Any]:
        """What the pack says of the file."""
        return {"sha256": self.digest.hexdigest(), "tensors": self.tensors}

    def taken_out(self, model: ModelProto) -> ModelProto:
        """The model with its weights left to the file."""
        for tensor in model.graph.initializer:
            place = self.places.get(hashlib.sha256(numpy_helper.to_array(tensor).tobytes()).digest())
            if place is not None:
                set_external_data(tensor, self.name, *place)
                tensor.ClearField("raw_data")
        return model


def with_drawn_weights(model: ModelProto, files: Iterable[Weights]) -> ModelProto:
    """A copy of a float32 network whose convolutions have drawn weights, of a deviation that keeps values near 1.

    Equal weights of several graphs become equal ones, since the seed is a digest of what stood there.
    """
    model = _copy(model)
    read = {node.input[1] for node in model.graph.node if node.op_type in CONVOLUTIONS}
    for tensor in model.graph.initializer:
        if tensor.name not in read or tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        seed = int.from_bytes(hashlib.sha256(values.tobytes()).digest()[:6])
        deviation = float(np.prod(values.shape[1:])) ** -0.5
        for file in files:
            file.add(seed, values.size, deviation)
        numbers = drawn(seed, values.size, deviation).reshape(values.shape)
        tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    return model


def _copy(model: ModelProto) -> ModelProto:
    copied = ModelProto()
    copied.CopyFrom(model)
    return copied


def make(
    out: Path,
    backbones: Sequence[str] = BACKBONES,
    sizes: Sequence[tuple[int, int]] = SIZES,
    samples: Sequence[int] = SAMPLES,
    answers: frozenset[str] = ALL_ANSWERS,
) -> list[list[Path]]:
    """Write a pack at the place of an empty or new folder, whole or not at all.

    Args:
        out: the folder; weights are not left in it.
        backbones: of the networks.
        sizes: rows and columns of a frame.
        samples: S.
        answers: beside the score.

    Returns:
        Its files in parts of at most 60 MB each.

    Raises:
        FileExistsError: the folder has files.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"expected a new or empty folder, {out} has something in it: name another, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        part = Path(folder) / "pack"
        part.mkdir()
        _write(part, backbones, sizes, samples, answers)
        parts(sorted(part.iterdir()))
        part.replace(out)
    return parts(sorted(out.iterdir()))


def _write(
    out: Path,
    backbones: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    samples: Sequence[int],
    answers: frozenset[str],
) -> None:
    cases: list[dict[str, Any]] = []
    weights: dict[str, Any] = {}
    for backbone in backbones:
        files = {precision: Weights(f"{backbone}-{precision}.bin", dtype) for precision, dtype in PRECISIONS.items()}
        every = itertools.product(sizes, samples)
        rows = [_write_case(out, files, backbone, size, count, answers) for size, count in every]
        for file in files.values():
            weights[file.name] = file.told()
            write_weights(out / file.name, weights[file.name])
        for row in rows:
            _write_expected(out, row)
            print(row["name"], flush=True)
        for file in files.values():
            (out / file.name).unlink()
        cases += rows
        forget()
    shutil.copyfile(Path(gpu_pack_run.__file__), out / "run.py")
    pack = {"schema": SCHEMA, "commit": _commit(), "weights": weights, "cases": cases}
    (out / PACK).write_text(json.dumps(pack, indent=1))


def _write_case(
    out: Path, files: dict[str, Weights], backbone: str, size: tuple[int, int], samples: int, answers: frozenset[str]
) -> dict[str, Any]:
    """Both graphs of one network, frame size and S in each precision, and the frames."""
    who, where = subject(backbone, *size), f"{backbone}-{size[0]}x{size[1]}"
    network, detector = answered_models(who, samples, answers)
    network = with_drawn_weights(network, files.values())
    bare = with_drawn_weights(_bare(who), files.values())
    names: dict[str, dict[str, str]] = {"alone": {}, "monitored": {}}
    for precision, file in files.items():
        models = {"alone": bare, "monitored": network}
        if precision == "fp16":
            models = {part: to_float16(model) for part, model in models.items()}
        models["monitored"] = fused_graph(models["monitored"], detector)
        for part, model in models.items():
            names[part][precision] = name = (
                f"{where}-{precision}.onnx" if part == "alone" else f"{where}-s{samples}-{precision}.onnx"
            )
            onnx.save(file.taken_out(_copy(model)), out / name)
    np.save(out / f"frames-{size[0]}x{size[1]}.npy", _frames(size))
    return {
        "name": f"{where}-s{samples}",
        "facts": {"backbone": backbone, "size": list(size), "samples": samples},
        "frames": f"frames-{size[0]}x{size[1]}.npy",
        "expected": f"{where}-s{samples}.npz",
        "weights": {precision: file.name for precision, file in files.items()},
        **names,
    }


def _bare(who: Subject) -> ModelProto:
    return segmentation_graph(BareNetwork(who.preprocessing, who.network), *who.size)


def _frames(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames ``(F, H, W, 3)`` of coarse random patches with fine noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 224, (FRAMES, size[0] // 32, size[1] // 32, 3), np.uint8)
    patches = coarse.repeat(32, axis=1).repeat(32, axis=2)
    frames: NDArray[np.uint8] = patches + rng.integers(0, 32, patches.shape, np.uint8)
    return frames


def _write_expected(out: Path, case: dict[str, Any]) -> None:
    """What the CPU provider of this machine computes in float32."""
    session = start(out / case["monitored"]["fp32"], "cpu", 0, {})
    names = [output.name for output in session.get_outputs()]
    rows = [session.run(names, {"frame": frame[None]}) for frame in np.load(out / case["frames"])]
    values = {name: np.concatenate(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    broken = [name for name, value in values.items() if not np.isfinite(value).all()]
    if broken:
        raise ValueError(f"expected finite values of {case['name']}, {', '.join(broken)} has others")
    np.savez_compressed(out / case["expected"], **values)  # type: ignore[arg-type]


def parts(paths: Sequence[Path]) -> list[list[Path]]:
    """Files in parts of at most :data:`LARGEST_PART` bytes, in their order.

    Raises:
        ValueError: one file is larger.
    """
    found: list[list[Path]] = []
    room = 0
    for path in paths:
        size = path.stat().st_size
        if size > LARGEST_PART:
            raise ValueError(f"expected files of at most {LARGEST_PART} bytes, {path.name} has {size}")
        if size > room:
            found.append([])
            room = LARGEST_PART
        found[-1].append(path)
        room -= size
    return found


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    told = subprocess.run(
        [git, "describe", "--always", "--dirty=+"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return told.stdout.strip()


def _size(text: str) -> tuple[int, int]:
    height, cross, width = text.partition("x")
    sides = [int(side) for side in (height, width) if side.isascii() and side.isdecimal()]
    if not cross or len(sides) != 2 or any(side % 32 or not 0 < side <= LARGEST_SIDE for side in sides):
        raise argparse.ArgumentTypeError(f"expected rows x columns in steps of 32 such as 256x512, got {text!r}")
    return sides[0], sides[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code comes back: 0 done, 2 a folder that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_pack", allow_abbrev=False, description=__doc__.partition("\n")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser(
        "make",
        allow_abbrev=False,
        help="write a pack; copy it to the machine with the GPU, and there: python run.py",
        epilog=f"then, there: python run.py --provider cuda; here: python -m benchmarks.report {RESULTS} --out DIR",
    )
    made.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    made.add_argument(
        "--backbones",
        nargs="+",
        default=BACKBONES,
        choices=("resnet18", "resnet34", "resnet50", "resnet101"),
        metavar="NAME",
    )
    made.add_argument("--sizes", nargs="+", type=_size, default=SIZES, metavar="HxW")
    made.add_argument("--samples", nargs="+", type=positive, default=SAMPLES, metavar="S")
    flags = parser.parse_args(arguments)
    try:
        groups = make(flags.out, flags.backbones, flags.sizes, flags.samples)
    except (OSError, ValueError, ExportError, PackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for number, group in enumerate(groups, 1):
        total = sum(path.stat().st_size for path in group)
        print(f"part {number}: {len(group)} files, {total / 1e6:.1f} MB: {' '.join(path.name for path in group)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
