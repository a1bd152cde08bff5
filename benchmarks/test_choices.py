# SPDX-License-Identifier: Apache-2.0
"""Alternatives to the pass that the runtime makes on the CPU, each as a ratio to it."""

from pathlib import Path

import onnxruntime as ort
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import ratio, take_turns
from benchmarks.networks import NEIGHBORS, Placement, Subject, load_detector, random_detector, scored, subject
from export.graphs.fused import fused_graph
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.frame_pass import HostPass
from lsood_runtime.offline import session_options

SAMPLES, WARM_UP, PAUSE, BACKBONE = 16, 4, 0.05, "resnet18"


def test_ways_of_a_frame(
    benchmark: BenchmarkFixture, record: Record, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """One fused graph; buffers bound once; one thread; spinning threads; and how long a session takes to load."""
    placement = Placement("cpu", None)
    who: Subject = subject(BACKBONE, *SMALL)
    sampler = who.sampler(SAMPLES)
    network = segmentation_graph(MonitoredNetwork(who.preprocessing, sampler.module), *SMALL)
    detector = scored(SAMPLES, random_detector(sampler.channels), sampler.channels)
    fused = fused_graph(network, detector).SerializeToString()
    inputs = {"frame": ("tensor(uint8)", (*SMALL, 3))}
    outputs = {
        "segmentation": ("tensor(uint8)", SMALL),
        "latent_samples": ("tensor(float)", (SAMPLES, sampler.channels)),
    }

    def graphs(where: Placement) -> tuple[HostPass, DevicePass]:
        pair = (
            where.load("segmentation.onnx", network, inputs, outputs),
            load_detector(detector, SAMPLES, sampler.channels, where),
        )
        return HostPass(*pair), DevicePass(*pair, "cpu", 0)

    host, bound = graphs(placement)
    single, _ = graphs(Placement("cpu", 1))
    one = ort.InferenceSession(fused, session_options(), providers=["CPUExecutionProvider"])
    spinning_options = session_options()
    spinning_options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    spinning = ort.InferenceSession(fused, spinning_options, providers=["CPUExecutionProvider"])
    calls = {
        "two graphs": lambda: host.run(who.frame, {}),
        "one fused graph": lambda: one.run(["score", "segmentation"], {"frame": who.frame}),
        "bound buffers": lambda: bound.run(who.frame, {}),
        "one thread": lambda: single.run(who.frame, {}),
        "fused, spinning": lambda: spinning.run(["score", "segmentation"], {"frame": who.frame}),
    }
    times = take_turns(calls, pytestconfig.getoption("--pairs"), WARM_UP, PAUSE)
    where = f"{BACKBONE} {SMALL[0]}x{SMALL[1]} S={SAMPLES} k={NEIGHBORS}"
    for name in list(calls)[1:]:
        record(f"{name} / two graphs, {where}", ratio(times[name], times["two graphs"]), what="choice")

    saving = session_options()
    saving.optimized_model_filepath = str(tmp_path / "optimised.ort")
    saving.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(fused, saving, providers=["CPUExecutionProvider"])
    saved = (tmp_path / "optimised.ort").read_bytes()
    loads = {
        "plain": lambda: ort.InferenceSession(fused, session_options(), providers=["CPUExecutionProvider"]),
        "optimised": lambda: ort.InferenceSession(saved, session_options(), providers=["CPUExecutionProvider"]),
    }
    times = take_turns(loads, pytestconfig.getoption("--pairs"), WARM_UP)
    record(
        f"load: optimised offline / plain ONNX, {BACKBONE}", ratio(times["optimised"], times["plain"]), what="choice"
    )
    benchmark.pedantic(calls["two graphs"], rounds=3)  # type: ignore[no-untyped-call]
