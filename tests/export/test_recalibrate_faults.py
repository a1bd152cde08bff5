# SPDX-License-Identifier: Apache-2.0
"""A recalibration whose graph comes out wrong, or whose bundle disappears meanwhile."""

import copy
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export import recalibrate as module
from export.calibration.options import CalibrationOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.detectors.fitted import OnePart
from export.detectors.fused import Fused
from export.errors import ParityError
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.graphs.detector import scores_graph
from export.recalibrate import recalibrate
from export.reporter import SilentReporter
from lsood_runtime import SCHEMA, OoDMonitor, read_manifest
from tests.conftest import write_scenes
from tests.paths import FROZEN_BUNDLE


def test_recalibrate_whose_detector_graph_is_wrong_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph is made of another estimator, as a converter's fault would make it."""
    frames = write_scenes(tmp_path / "frames", 40, seed=3, size=(32, 64))

    def shifted(detector: OnePart, widths: dict[FeatureKey, int]) -> onnx.ModelProto:
        other = copy.deepcopy(detector)
        other.part.pipeline[-1].bandwidth_ *= 2
        return scores_graph(other, widths)

    monkeypatch.setattr(module, "scores_graph", shifted)
    calibration = CalibrationOptions(detector="kde", rates={"10%": 0.1})
    with pytest.raises(ParityError, match="detector's graph within"):
        recalibrate(RecalibrationOptions(FROZEN_BUNDLE, tmp_path / "new", (frames,), calibration=calibration))
    assert not (tmp_path / "new").exists()


def test_recalibrate_whose_graph_mixes_up_the_parts_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum is right, the shares stand under each other's names."""
    frames = write_scenes(tmp_path / "frames", 40, seed=3, size=(32, 64))

    def exchanged(detector: Fused, widths: dict[FeatureKey, int]) -> onnx.ModelProto:
        order = [1, 0]
        parts = tuple(detector.parts[i] for i in order)
        return scores_graph(
            Fused(parts, detector.centres[order], detector.scales[order], detector.weights[order]), widths
        )

    monkeypatch.setattr(module, "scores_graph", exchanged)
    calibration = CalibrationOptions(parts=("mahalanobis@entropy", "knn@entropy"), rates={"10%": 0.1})
    options = RecalibrationOptions(FROZEN_BUNDLE, tmp_path / "new", (frames,), calibration=calibration)
    with pytest.raises(ParityError, match="detector's graph within"):
        recalibrate(options)
    assert not (tmp_path / "new").exists()
    monkeypatch.undo()
    recalibrate(options)
    with OoDMonitor(tmp_path / "new") as monitor:
        verdict = monitor.assess(FrameFiles([frames])[0])
    assert list(verdict.parts) == ["entropy, mahalanobis", "entropy, knn"]
    assert sum(verdict.parts.values()) == pytest.approx(verdict.score)


def test_recalibrate_whose_bundle_disappears_after_verification_writes_the_verified_network(tmp_path: Path) -> None:
    folder, frames = tmp_path / "monitor", tmp_path / "frames"
    shutil.copytree(FROZEN_BUNDLE, folder)
    write_scenes(frames, 40, seed=3, size=(32, 64))
    calibration = CalibrationOptions(detector="kde", rates={"10%": 0.1})
    stages: list[str] = []

    class DeleteOnceVerified(SilentReporter):
        def stage(self, text: str) -> None:
            stages.append(text)
            if text.startswith("fitting"):
                shutil.rmtree(folder)

    recalibrate(RecalibrationOptions(folder, tmp_path / "new", (frames,), calibration=calibration))
    options = RecalibrationOptions(folder, tmp_path / "late", (frames,), calibration=calibration)
    recalibrate(options, DeleteOnceVerified())
    assert not folder.exists()
    assert [stage.partition(" ")[0] for stage in stages] == ["verifying", "fitting", "writing"]
    for name in ("weights.bin", "golden.npz"):
        assert (tmp_path / "late" / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
    old, new = (onnx.load(path / "segmentation.onnx").graph for path in (FROZEN_BUNDLE, tmp_path / "late"))
    assert new.node == old.node
    for a, b in zip(old.initializer, new.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))
    with OoDMonitor(tmp_path / "late") as monitor:  # replays the golden frames
        assert monitor.manifest.network_sha256 == read_manifest(FROZEN_BUNDLE).network_sha256
        old_manifest, new_manifest = read_manifest(FROZEN_BUNDLE), monitor.manifest
    assert (old_manifest.schema, new_manifest.schema) == (2, SCHEMA)
    assert new_manifest.features == old_manifest.features
