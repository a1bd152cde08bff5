# SPDX-License-Identifier: Apache-2.0
"""Run a pack of ``benchmarks.gpu_pack``: parity, placement, CUDA graphs and times of every network in it, as one JSON file.

It needs numpy and onnxruntime-gpu (onnxruntime for ``--provider cpu``), and nothing else of this project: a copy of this file
lies in every pack as ``run.py``.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

SCHEMA = 1
PACK, RESULTS = "pack.json", "results.json"
LARGEST_SHARE = 0.01
"""Of an output's largest value that float32 may differ from the expected one, and of the pixels that may change class."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
VARIANTS: Mapping[str, Mapping[str, tuple[str, dict[str, str]]]] = {
    "cpu": {"fp32": ("fp32", {}), "fp16": ("fp16", {})},
    "cuda": {
        "fp32": ("fp32", {"use_tf32": "0"}),
        "tf32": ("fp32", {"use_tf32": "1"}),
        "fp16": ("fp16", {"use_tf32": "0"}),
    },
}
"""By provider: what is timed, with the graph and the options of the provider that it takes."""

Call = Callable[[], object]


class PackError(Exception):
    """A pack, a provider or a file of results that cannot be used; its message is one line with a remedy."""


def drawn(seed: int, count: int, deviation: float) -> NDArray[np.float32]:
    """Numbers ``(count,)`` float32 of mean 0 and a standard deviation, of the same bits with every release of numpy."""
    steps = np.random.PCG64(seed).random_raw(count) >> np.uint64(40)  # 24 bits: whole numbers that float32 holds
    return (steps.astype(np.float32) * np.float32(2.0**-23) - np.float32(1)) * np.float32(deviation * 3**0.5)


def write_weights(path: Path, told: Mapping[str, Any]) -> None:
    """Write a file of weights from the seeds in the pack, unless it lies there whole.

    Args:
        path: of the file, which the graphs name.
        told: its ``sha256``, and its ``tensors`` in their order: seed, count, deviation and dtype of each.

    Raises:
        PackError: the digest is another one.
    """
    if path.is_file() and _digest_of_file(path) == told["sha256"]:
        return
    part, digest = path.with_suffix(".part"), hashlib.sha256()
    with part.open("wb") as file:
        for tensor in told["tensors"]:
            numbers = drawn(tensor["seed"], tensor["count"], tensor["deviation"]).astype(tensor["dtype"]).tobytes()
            file.write(numbers)
            digest.update(numbers)
    if digest.hexdigest() != told["sha256"]:
        part.unlink()
        raise PackError(f"expected the weights {path.name} to have the digest that {PACK} states: make the pack again")
    part.replace(path)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start(path: Path, provider: str, threads: int, options: Mapping[str, str]) -> ort.InferenceSession:
    """A session for one frame a run, set up as those of the runtime.

    Raises:
        PackError: the provider does not start.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    settings.add_free_dimension_override_by_name("batch", 1)
    name = PROVIDERS[provider]
    session = ort.InferenceSession(path, settings, providers=[(name, dict(options))])
    if session.get_providers()[0] != name:
        raise PackError(
            f"expected {name} to start, got {', '.join(session.get_providers())}: install the libraries of CUDA and cuDNN "
            "that this onnxruntime-gpu asks for, or pass --provider cpu"
        )
    return session


def placement(session: ort.InferenceSession) -> dict[str, int]:
    """Nodes by the provider that runs them; empty where this ONNX Runtime does not tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    counts: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    return counts


def resident(
    session: ort.InferenceSession, frame: NDArray[np.uint8], expected: Mapping[str, NDArray[Any]], device: str
) -> Call:
    """A call that runs a session from a frame to outputs that all stay where they are on the device."""
    binding = session.io_binding()
    binding.bind_ortvalue_input("frame", ort.OrtValue.ortvalue_from_numpy(frame, device, 0))
    for output in session.get_outputs():
        values = expected[output.name]
        place = ort.OrtValue.ortvalue_from_shape_and_type([1, *values.shape[1:]], values.dtype.type, device, 0)
        binding.bind_ortvalue_output(output.name, place)
    return lambda: session.run_with_iobinding(binding)


def differences(
    session: ort.InferenceSession, frames: NDArray[np.uint8], expected: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """Of each output the largest difference to the expected values, as a share of the largest of these.

    Of the segmentation it is the largest share of a frame's pixels whose class is another one. NaN and infinity are a
    difference of 1.
    """
    names = [output.name for output in session.get_outputs()]
    rows = [dict(zip(names, session.run(names, {"frame": frame[None]}), strict=True)) for frame in frames]
    found = {}
    for name in names:
        got, values = np.concatenate([row[name] for row in rows]), expected[name]
        if name == "segmentation":
            found[name] = float((got != values).reshape(len(values), -1).mean(axis=1).max())
        elif np.isfinite(got).all():
            found[name] = float(np.abs(got - values).max() / max(np.abs(values).max(), 1e-12))
        else:
            found[name] = 1.0
    return found


def take_turns(calls: Mapping[str, Call], pairs: int, warm_up: int) -> dict[str, list[float]]:
    """Seconds of several calls, one after the other in every round, in an order that is drawn for each round.

    Rounds of warm-up come before those that count.
    """
    names, times, order = list(calls), {name: list[float]() for name in calls}, np.random.default_rng(0)
    for i in range(warm_up + pairs):
        for name in order.permutation(names):
            begun = time.perf_counter()
            calls[name]()
            if i >= warm_up:
                times[name].append(round(time.perf_counter() - begun, 7))
    return times


def measure(folder: Path, case: Mapping[str, Any], variant: str, flags: argparse.Namespace) -> dict[str, Any]:
    """Everything about one network in one precision, in comparison with the network alone."""
    precision, options = VARIANTS[flags.provider][variant]
    frames: NDArray[np.uint8] = np.load(folder / case["frames"])
    with np.load(folder / case["expected"]) as file:
        expected = {name: file[name] for name in file.files}
    device, frame = flags.provider, frames[:1]
    calls: dict[str, Call] = {}
    sessions = {
        who: start(folder / case[who][precision], flags.provider, flags.threads, options)
        for who in ("alone", "monitored")
    }
    for who, session in sessions.items():
        calls[f"{who}, host to host"] = lambda session=session: session.run(None, {"frame": frame})  # type: ignore[misc]
        calls[f"{who}, on the device"] = resident(session, frame, expected, device)
    capture = "not on this provider"
    if device == "cuda":
        try:
            captured = {
                who: start(folder / case[who][precision], device, flags.threads, {**options, "enable_cuda_graph": "1"})
                for who in sessions
            }
            replays = {
                f"{who}, CUDA graph": resident(session, frame, expected, device) for who, session in captured.items()
            }
            for replay in replays.values():
                replay()  # the first run captures
            calls |= replays
            capture = "captured"
        except Exception as error:  # whatever ONNX Runtime says is the figure
            capture = one_line(error)
    return {
        "case": case["name"],
        "variant": variant,
        "facts": case["facts"],
        "differences": differences(sessions["monitored"], frames, expected),
        "placement": {who: placement(session) for who, session in sessions.items()},
        "cuda_graph": capture,
        "seconds": take_turns(calls, flags.pairs, flags.warm_up),
    }


def processor() -> str:
    """Name of the processor, as its maker gives it; its architecture where the system does not tell."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def machine(flags: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on, and no name of a host."""
    name = processor()
    if flags.provider == "cuda" and (tool := shutil.which("nvidia-smi")):
        query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        cards = [line.strip() for line in told.splitlines() if line.strip()]
        shown = os.environ.get("CUDA_VISIBLE_DEVICES")
        name = "; ".join(cards) + ("" if shown is None else f"; CUDA_VISIBLE_DEVICES={shown}")
    versions = {"python": platform.python_version(), "numpy": np.__version__, "onnxruntime": ort.__version__}
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "provider": flags.provider,
        "threads": flags.threads or os.cpu_count(),
        "clock": "wall",
        "versions": versions,
    }


def read_pack(folder: Path) -> dict[str, Any]:
    """What the pack says of itself.

    Raises:
        PackError: it is no pack of this version.
    """
    try:
        pack = json.loads((folder / PACK).read_text())
    except OSError as error:
        raise PackError(
            f"expected {PACK} beside this script, got {error.strerror}: run it in the folder of the pack"
        ) from error
    except ValueError as error:
        raise PackError(
            f"expected {PACK} as benchmarks.gpu_pack writes it, got {error}: make the pack again"
        ) from error
    keys = {"schema", "commit", "weights", "cases"}
    if not isinstance(pack, dict) or pack.get("schema") != SCHEMA or pack.keys() != keys:
        raise PackError(f"expected a pack of schema {SCHEMA} in {PACK}: make the pack again")
    missing = sorted(name for name in _named(pack) if not (folder / name).is_file())
    if missing:
        raise PackError(
            f"expected {len(missing)} more files beside {PACK}, such as {missing[0]}: carry every part of the pack"
        )
    return pack


def _named(pack: Mapping[str, Any]) -> set[str]:
    """The files that the cases name, but for the weights.

    Raises:
        PackError: a case has none.
    """
    try:
        plain = {case[key] for case in pack["cases"] for key in ("frames", "expected")}
        return plain | {name for case in pack["cases"] for who in ("alone", "monitored") for name in case[who].values()}
    except (TypeError, KeyError, AttributeError) as error:
        raise PackError(f"expected cases as benchmarks.gpu_pack writes them in {PACK}: make the pack again") from error


def run(folder: Path, flags: argparse.Namespace) -> bool:
    """Measure every case, and write the results after each; whether float32 gave the expected values everywhere.

    Raises:
        PackError: the pack or the provider cannot be used, or no case has the name that was asked for.
    """
    pack = read_pack(folder)
    cases = [case for case in pack["cases"] if flags.only in case["name"]]
    if not cases:
        names = ", ".join(case["name"] for case in pack["cases"])
        raise PackError(f"expected --only to be part of a name, got {flags.only!r}: the names are {names}")
    if PROVIDERS[flags.provider] not in ort.get_available_providers():
        raise PackError(
            f"expected {PROVIDERS[flags.provider]} in this onnxruntime: install onnxruntime-gpu, or pass --provider cpu"
        )
    variants = flags.variants or list(VARIANTS[flags.provider])
    if unknown := set(variants) - VARIANTS[flags.provider].keys():
        raise PackError(f"expected variants of {flags.provider}, got {', '.join(sorted(unknown))}: leave it out")
    if flags.out.is_dir():
        raise PackError(f"expected a file for the results, {flags.out} is a folder: name a file in it")
    if not flags.out.parent.is_dir():
        raise PackError(
            f"expected a folder for the results, {flags.out.parent} is none: make it, or name another --out"
        )
    results = {
        "pack": SCHEMA,
        "datetime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        "commit": pack["commit"],
        "machine": machine(flags),
        "runs": list[dict[str, Any]](),
        "failed": list[dict[str, str]](),
    }
    same = True
    todo = [(case, variant) for case in cases for variant in variants]
    for number, (case, variant) in enumerate(todo, 1):
        precision = VARIANTS[flags.provider][variant][0]
        write_weights(folder / case["weights"][precision], pack["weights"][case["weights"][precision]])
        try:
            row = measure(folder, case, variant, flags)
        except PackError:
            raise
        except Exception as error:  # of ONNX Runtime or of the files: the other networks are measured all the same
            results["failed"].append({"case": case["name"], "variant": variant, "error": one_line(error)})
            print(f"{number}/{len(todo)} {case['name']} {variant}: {one_line(error)}", file=sys.stderr, flush=True)
            _write(results, flags.out)
            continue
        results["runs"].append(row)
        worst = max(row["differences"].values())
        if variant == "fp32" and not worst <= LARGEST_SHARE:
            same = False
        middle = {name: 1e3 * float(np.median(times)) for name, times in row["seconds"].items()}
        print(
            f"{number}/{len(todo)} {case['name']} {variant}: {middle['monitored, host to host']:.2f} ms "
            f"({middle['alone, host to host']:.2f} alone), largest difference {worst:.2g}, CUDA graph {row['cuda_graph']}",
            flush=True,
        )
        _write(results, flags.out)
    if results["failed"]:
        names = ", ".join(f"{row['case']} {row['variant']}" for row in results["failed"])
        raise PackError(f"expected every network to run, {len(results['failed'])} did not ({names}): see {flags.out}")
    return same


def _write(results: Mapping[str, Any], path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(results, indent=1))
    part.replace(path)


def one_line(error: Exception) -> str:
    """What an error says, in at most 300 characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def main(arguments: Sequence[str] | None = None, folder: Path = Path(__file__).parent) -> int:
    """Run the command line; 0: done, 1: float32 gave other values than expected, 2: something cannot be used."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description="Measure every network of this pack on one provider: differences to the expected values, nodes by "
        "provider, CUDA graphs, and times with the monitor and without it, pair by pair.",
        epilog="example: python run.py --provider cuda; then, in the project: "
        "python -m benchmarks.report results.json --out DIR",
    )
    parser.add_argument("--provider", choices=tuple(PROVIDERS), default="cuda", help="default: cuda")
    parser.add_argument("--pairs", type=positive, default=50, metavar="N", help="rounds that are timed (default: 50)")
    parser.add_argument("--warm-up", type=positive, default=5, metavar="N", help="rounds before them (default: 5)")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=("fp32", "tf32", "fp16"),
        metavar="NAME",
        help="fp32, tf32 on CUDA alone, fp16 (default: all that the provider has)",
    )
    parser.add_argument(
        "--threads", type=positive, default=0, metavar="N", help="of the CPU provider (default: one a core)"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="cases whose name contains it, such as resnet50-256x512"
    )
    parser.add_argument(
        "--out", type=Path, default=folder / RESULTS, metavar="JSON", help=f"default: {RESULTS} in the pack"
    )
    flags = parser.parse_args(arguments)
    try:
        same = run(folder, flags)
    except (PackError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(flags.out)
    if not same:
        print(
            f"error: expected float32 within {LARGEST_SHARE:.0%} of the values of the machine that made the pack, got more: "
            "do not rely on this provider",
            file=sys.stderr,
        )
    return 0 if same else 1


def positive(text: str) -> int:
    """A whole number of a flag, from 1 to 100,000."""
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
