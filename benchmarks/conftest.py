# SPDX-License-Identifier: Apache-2.0
"""Flags of the suite, what machine it ran on, and how a benchmark records its figures for the report."""

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.answered_networks import forget
from benchmarks.gpu_pack_run import processor
from benchmarks.measure import Difference, Latency, Paced, Ratio, as_json
from benchmarks.networks import Placement
from export.calibration.options import CalibrationOptions
from export.models import DeepLabV3PlusModule
from export.pipeline.export_monitor import ExportOptions, export_monitor
from lsood_runtime import __version__
from tests.conftest import save_checkpoint, write_scenes

SCENES, SMALL = 60, (256, 512)
Record = Callable[..., None]

_lines = pytest.StashKey[list[str]]()


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("latency", "what is measured, by the first value of a list where it is not swept")
    group.addoption("--provider", choices=("cpu", "cuda", "tensorrt"), default="cpu")
    group.addoption(
        "--threads", type=int, metavar="N", help="of the CPU provider within an operator (default: one a core)"
    )
    group.addoption(
        "--backbones", nargs="+", default=["resnet18", "resnet50"], metavar="NAME", help="resnet18, 34, 50, 101"
    )
    group.addoption(
        "--sizes", nargs="+", type=_size, default=[SMALL], metavar="HxW", help="of a frame; default: 256x512"
    )
    group.addoption("--samples", nargs="+", type=int, default=[16, 128], metavar="S", help="default: 16 128")
    group.addoption(
        "--clock",
        choices=("wall", "thread"),
        default="wall",
        help="of a frame's ratios; thread: processor time of the calling thread, which other processes do not add to; "
        "with --threads 1 on the CPU",
    )
    group.addoption("--pairs", type=int, default=40, metavar="N", help="rounds of a ratio (default: 40)")
    group.addoption(
        "--frames",
        type=int,
        default=300,
        metavar="N",
        help="rounds of the first backbone, whose tail is looked at: p99 needs 299, p99.9 needs 2,995 (default: 300)",
    )
    group.addoption(
        "--rates", nargs="+", type=float, default=[10.0, 20.0, 30.0], metavar="HZ", help="default: 10 20 30"
    )
    group.addoption("--paced-seconds", type=float, default=10.0, help="of the camera at each rate (default: 10)")
    group.addoption(
        "--peer-backbone", default="resnet50", metavar="NAME", help="for published code (default: resnet50)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``case``: every S and every size of the first backbone, every S of the others at the first size.

    ``answer_case``: every backbone at every size.
    """
    option = metafunc.config.getoption
    backbones, sizes, samples = option("--backbones"), option("--sizes"), option("--samples")
    if "answer_case" in metafunc.fixturenames:
        pairs = [(name, size) for name in backbones for size in sizes]
        names = [f"{name}-{h}x{w}" for name, (h, w) in pairs]
        metafunc.parametrize("answer_case", pairs, ids=names, indirect=True)
    if "case" in metafunc.fixturenames:
        cases = [(name, sizes[0], s) for name in backbones for s in samples]
        cases += [(backbones[0], size, samples[0]) for size in sizes[1:]]
        metafunc.parametrize("case", cases, ids=[f"{name}-{h}x{w}-{s}" for name, (h, w), s in cases])


@pytest.fixture
def answer_case(request: pytest.FixtureRequest) -> Iterator[tuple[str, tuple[int, int]]]:
    """Backbone and size; what was made of them is let go of afterwards."""
    yield request.param
    forget()


@pytest.fixture(scope="session")
def placement(pytestconfig: pytest.Config) -> Placement:
    return Placement(pytestconfig.getoption("--provider"), pytestconfig.getoption("--threads"))


@pytest.fixture(scope="session")
def clock(pytestconfig: pytest.Config, placement: Placement) -> Callable[[], float]:
    """What ``--clock`` names."""
    if pytestconfig.getoption("--clock") == "wall":
        return time.perf_counter
    if (placement.provider, placement.threads) != ("cpu", 1):
        raise pytest.UsageError(
            f"expected --threads 1 on the CPU for --clock thread, got {placement.threads} on {placement.provider}: other "
            "threads' time would not count"
        )
    return time.thread_time


@pytest.fixture
def record(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Record:
    """Keep figures under a name, for the JSON file and for the lines at the end of the run."""

    def keep(name: str, figure: Latency | Ratio | Difference | Paced | Mapping[str, Any], **facts: Any) -> None:
        kind = "values" if isinstance(figure, Mapping) else type(figure).__name__.lower()
        values = dict(figure) if isinstance(figure, Mapping) else as_json(figure)
        benchmark.extra_info.setdefault("figures", []).append({"name": name, "kind": kind, **values, **facts})
        if isinstance(figure, Ratio | Difference):
            value = figure.median if isinstance(figure, Ratio) else figure.mean
            pytestconfig.stash[_lines].append(
                f"{name}: {value:.4g} (95 % {figure.low:.4g} to {figure.high:.4g}, {figure.pairs} pairs)"
            )

    return keep


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle of a ResNet-18 at 256x512 with random weights, calibrated on drawn scenes."""
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    network = DeepLabV3PlusModule("resnet18", n_class=19, drop_prob=0.5, block_size=4, input_size=SMALL)
    checkpoint = save_checkpoint(network, folder / "network.ckpt")
    frames = write_scenes(folder / "scenes", SCENES, seed=1, size=SMALL)
    rates = CalibrationOptions(rates={"10%": 0.1})
    export_monitor(ExportOptions(ckpt=checkpoint, frames=(frames,), out=folder / "monitor", calibration=rates))
    return folder / "monitor"


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Replace pytest-benchmark's metadata of the machine: no host's name, but what latencies depend on."""
    machine_info.clear()
    machine_info |= {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "provider": config.getoption("--provider"),
        "threads": config.getoption("--threads") or os.cpu_count(),
        "clock": config.getoption("--clock"),
        "versions": {
            "python": platform.python_version(),
            "onnxruntime": ort.__version__,
            "torch": torch.__version__,
            "lsood_runtime": __version__,
        },
    }


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:  # noqa: ARG001
    """The suite's own largest resident memory, beside the figures."""
    output_json["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_lines] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[_lines]:
        terminalreporter.section("ratios, pair by pair")
        for line in config.stash[_lines]:
            terminalreporter.write_line(line)
