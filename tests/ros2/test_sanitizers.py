# SPDX-License-Identifier: Apache-2.0
"""The node's own code, not the library below it, is clean under sanitizers: two cameras, timers and diagnostics in turn."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cpp.building import build_library
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.ros2.playing import STAND_IN, Player, Shot
from tests.ros2.test_images import UNREADABLE

START, STEP = 1_000_000_000_000, 100_000_000


@pytest.mark.slow
@pytest.mark.timeout(3600)  # each builds the node
@pytest.mark.parametrize("sanitizer", ["address", "undefined", "thread"])
def test_node_is_clean_under_sanitizers(
    ros_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sanitizer: str
) -> None:
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # ONNX Runtime keeps some memory until the end
    paths = (f"-DCMAKE_PREFIX_PATH={ros_build.with_name('prefix')}", f"-DPython3_EXECUTABLE={sys.executable}")
    flags = f"-DCMAKE_CXX_FLAGS=-fsanitize={sanitizer} -fno-sanitize-recover=all"
    build = build_library(tmp_path / "build", *paths, flags, "-DCMAKE_BUILD_TYPE=Debug", source=STAND_IN)
    bundle = tmp_path / "monitor"
    bundle.mkdir()
    write_answers_bundle(bundle, tiles=True, with_map=True, confidence=True)
    commands: list[str | Shot] = [f"listen /lsood_monitor/front/{name} 1" for name in ("anomaly_map", "segmentation")]
    for i, level in enumerate(np.linspace(0.02, 0.98, 40)):
        frame, stamp_ns = frame_of_level(level, i), START + i * STEP
        commands += [Shot(frame, stamp_ns, "front"), Shot(frame[..., ::-1], stamp_ns, "rear", "bgr8", padding=i % 3)]
        commands += ["tick", "diagnose", "sleep 5"]
    for shot, _ in UNREADABLE.values():
        commands += [Shot(**{**vars(shot), "camera": "rear"}), "sleep 5"]
    published, log = Player(build, tmp_path).run(
        commands, bundle=bundle, cameras=["front", "rear"], alarm="2of3", quality_alarm="2of4", max_age_s=0.02
    )
    assert "Sanitizer" not in log
    assert "runtime error" not in log
    kinds = {each.type for each in published}
    assert {"lsood_msgs/Assessment", "sensor_msgs/Image", "diagnostic_msgs/DiagnosticArray"} <= kinds
