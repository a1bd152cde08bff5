# SPDX-License-Identifier: Apache-2.0
"""``OoDMonitor`` on onnxruntime-gpu, as JSON. Runs in an environment that has it; see cuda_placement.py.

Over no-op libraries memory "on the device" is memory of the host, and the first convolution fails for want of cuDNN: up to
there a frame is passed as on a GPU.
"""

import json
import os
import sys
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import numpy as np
import onnxruntime as ort

from lsood_runtime import LsoodError, OoDMonitor
from lsood_runtime._inference.placement import node_counts


def without_fallback(options: ort.SessionOptions) -> None:
    """Refuse a session with a node on the CPU."""
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")


def watch(
    bundle: str, options: dict[str, Any], batch: int | None = 1, strict: bool = False, test: bool = False, **more: Any
) -> dict[str, Any]:
    """What came of opening the bundle and of a frame."""
    try:
        monitor = OoDMonitor(
            bundle,
            providers=[("cuda", options)],
            batch=batch,
            self_test=test,
            session_options=without_fallback if strict else None,
            **more,
        )
    except (LsoodError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    contract = monitor.manifest.input
    frame = np.random.default_rng(0).integers(0, 256, (contract.frame_height, contract.frame_width, 3), np.uint8)
    answer: dict[str, Any] = {
        "provider": monitor.provider,
        "way": type(monitor._scorer.graphs.frame_pass).__name__,
        "placement": node_counts(list(monitor._scorer.graphs.placements.values())),
    }
    try:
        verdict = monitor.assess(frame)
        answer["scored_on"], answer["score"] = verdict.provider, verdict.score
    except LsoodError as error:
        answer["run_error"] = str(error)
    return answer


if __name__ == "__main__":
    path, *rest = sys.argv[1:]
    cases = json.loads(rest[0])
    json.dump([watch(path, **case) for case in cases], sys.stdout)
