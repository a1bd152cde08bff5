# SPDX-License-Identifier: Apache-2.0
"""onnxruntime-gpu on a machine without a GPU: its own partitioner says where each node of a graph goes.

    python -m tests.cuda.placement VERSION

writes the table of kernels of another release in place of the committed one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cuda.kernels import TABLE
from tests.cuda.stubs import build_stubs
from tests.paths import ROOT

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_HEADERS = ("nvidia-cuda-runtime==13.*", "nvidia-cuda-crt==13.*")
_TOOLS = ("gcc", "nm", "readelf")
_INSIDE, _MONITOR = (Path(__file__).with_name(f"inside_{name}.py") for name in ("wheel", "monitor"))
_ROOT = ROOT


class PlacementUnavailableError(Exception):
    """This machine lacks a tool, or the wheels cannot be had."""


@dataclass(frozen=True)
class Placement:
    """What ONNX Runtime did with one graph.

    Attributes:
        nodes: by provider, ``(operator, name)`` of each node; empty where no session could be made at all.
        without_fallback: why a session whose nodes may not fall back to the CPU was refused; None: it was not.
        cuda_graphs: why a session with CUDA graphs was refused; None: it was not.
    """

    nodes: Mapping[str, Sequence[tuple[str, str]]]
    without_fallback: str | None
    cuda_graphs: str | None


class StubbedWheel:
    """An environment with onnxruntime-gpu and stand-ins for the libraries that it links against.

    Args:
        folder: where the environment and the libraries go, about 0.5 GB.
        version: of onnxruntime-gpu.

    Raises:
        PlacementUnavailableError: a tool or a wheel is missing; the message says which.
    """

    def __init__(self, folder: Path, version: str) -> None:
        missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
        if missing:
            raise PlacementUnavailableError(f"expected gcc and binutils, found no {', '.join(missing)}")
        environment, self._stubs = folder / "environment", folder / "stubs"
        venv.create(environment, with_pip=True)
        self._python = environment / "bin" / "python"
        wanted = (f"onnxruntime-gpu=={version}", "numpy", *_HEADERS)
        command: list[str | Path] = [self._python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *wanted]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            last = installed.stderr.strip().splitlines()[-1:]
            raise PlacementUnavailableError(f"pip cannot install {' '.join(wanted)}: {''.join(last)}")
        (headers,) = {path.parent for path in environment.rglob("driver_types.h")}
        build_stubs(sorted(environment.rglob("libonnxruntime_providers_*.so")), headers, self._stubs)

    def place(self, models: Sequence[Path], **fixed: int) -> list[Placement]:
        """Where the nodes of each graph go, with the named dimensions fixed."""
        sizes = [argument for name, size in fixed.items() for argument in ("--fix", f"{name}={size}")]
        return [
            Placement(
                {
                    provider: [(operator, name) for operator, name in nodes]
                    for provider, nodes in answer["nodes"].items()
                },
                answer["without_fallback"],
                answer["cuda_graphs"],
            )
            for answer in self._ask(*sizes, *models)
        ]

    def kernels(self) -> dict[str, Any]:
        """The table of kernels, as it is committed."""
        table: dict[str, Any] = self._ask()
        return table

    def monitors(self, bundle: Path, *cases: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What becomes of ``OoDMonitor`` on CUDA; each case holds the arguments of ``cuda_inside_monitor.watch``."""
        answers: list[dict[str, Any]] = self._ask(bundle, json.dumps(cases), script=_MONITOR)
        return answers

    def _ask(self, *arguments: str | Path, script: Path = _INSIDE) -> Any:
        done = subprocess.run(
            [self._python, script, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LD_LIBRARY_PATH": str(self._stubs), "PYTHONPATH": str(_ROOT)},
        )
        if done.returncode:
            raise RuntimeError(f"onnxruntime-gpu ended with {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)


def write_table(table: Mapping[str, Any], path: Path = TABLE) -> None:
    """Write what :meth:`StubbedWheel.kernels` gives, one operator a line."""
    head = {key: value for key, value in table.items() if key != "cuda"}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(kernels)}" for name, kernels in table["cuda"].items())
    path.write_text(f'{json.dumps(head)[:-1]},\n"cuda": {{\n{lines}\n}}}}\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="of onnxruntime-gpu")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            write_table(StubbedWheel(Path(folder), given.version).kernels())
        except PlacementUnavailableError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
