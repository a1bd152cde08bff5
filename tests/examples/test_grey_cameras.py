# SPDX-License-Identifier: Apache-2.0
"""The example of the fused graph takes frames of a grey camera where the bundle does, and refuses them elsewhere."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from export.frames.reading_options import ReadingOptions
from lsood_runtime import OoDMonitor
from tests.paths import EXAMPLES


@pytest.fixture(scope="module")
def of_grey_camera(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True, reading=ReadingOptions(grey=True))


def test_fused_graph_example_of_grey_images_scores_as_the_runtime_or_refuses(
    of_grey_camera: Path, tmp_path: Path
) -> None:
    with OoDMonitor(of_grey_camera, channels="grey") as monitor:
        contract = monitor.manifest.input
        size = (contract.frame_height, contract.frame_width)
        grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        wanted = monitor.score(grey)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    copy = shutil.copytree(of_grey_camera, tmp_path / "colour")
    graph = onnx.load(copy / "monitor.onnx", load_external_data=False)
    (carried,) = (entry for entry in graph.metadata_props if entry.key == "lsood_manifest")
    manifest = json.loads(carried.value)
    assert manifest["pixels"]["grey"] is True
    manifest["pixels"]["grey"] = False
    carried.value = json.dumps(manifest)
    (copy / "monitor.onnx").write_bytes(graph.SerializeToString())
    done = [
        subprocess.run(
            [sys.executable, EXAMPLES / "fused_graph.py", folder / "monitor.onnx", tmp_path / "grey.png"],
            capture_output=True,
            text=True,
            check=False,
        )
        for folder in (of_grey_camera, copy)
    ]
    assert float(done[0].stdout.split("\t")[1]) == pytest.approx(wanted, abs=1e-5 * max(1, abs(wanted)))
    assert (done[1].returncode, done[1].stdout) == (1, "")
    assert "is grey: export the bundle with --grey" in done[1].stderr
