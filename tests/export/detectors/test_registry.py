# SPDX-License-Identifier: Apache-2.0
"""The registry of detectors: a detector that is registered nowhere else is fitted, converted, printed and shipped."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxAbs, OnnxNeg, OnnxReduceMax, OnnxSub
from sklearn.base import BaseEstimator

from export.calibration.options import CalibrationOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import calibrate, export, search
from export.detectors.fit import fit_detector
from export.detectors.fitted import PartOptions, fit_part
from export.detectors.onnx_operators import COLUMN
from export.detectors.registry import (
    DETECTORS,
    NAMED_FEATURE_DETECTORS,
    DetectorSpec,
    detector_names,
    detector_noun,
    detector_spec,
    detector_table,
)
from export.errors import CalibrationError, UsageError
from export.graphs.detector import score_graph
from export.graphs.torchscript import DetectorScore
from export.pipeline.options import ExportOptions
from export.pipeline.resolve import check_options
from export.recalibrate import recalibrate
from lsood_runtime import OoDMonitor, read_manifest
from tests.export.detectors.feature_rows import ENERGY, LAYER, LOGITS, recording

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 4))


class LargestDeviation(BaseEstimator):  # type: ignore[misc]
    """Largest deviation of a column from its median."""

    def fit(self, X: ArrayLike, y: None = None) -> Self:  # noqa: ARG002
        self.median_: NDArray[np.float64] = np.median(np.asarray(X, np.float64), axis=0)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        result: NDArray[np.float64] = -np.abs(np.asarray(X) - self.median_).max(axis=1)
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        deviation = OnnxAbs(OnnxSub(rows, self.median_[None], op_version=opset), op_version=opset)
        return OnnxNeg(OnnxReduceMax(deviation, COLUMN, keepdims=1, op_version=opset), op_version=opset)


TOY = DetectorSpec(
    name="deviation",
    noun="largest deviation from a median",
    help="largest deviation of an entropy",
    score="largest deviation of an entropy from its median",
    unit="nats",
    build=lambda _: LargestDeviation(),
    fewest_frames=1,
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(DETECTORS, TOY.name, TOY)
    return TOY.name


def test_new_detector_in_a_graph_scores_as_its_estimator(toy: str) -> None:
    detector = fit_detector(toy, ROWS[:40], pca_components=3, standardise=True)
    graph = score_graph(detector, 4).SerializeToString()
    rows = ROWS[40:].astype(np.float32)
    (got,) = ort.InferenceSession(graph).run(None, {"entropy": rows})
    np.testing.assert_allclose(got, -detector.score_samples(rows.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("command", [calibrate, export, search])
def test_new_detector_in_help_is_named_and_accepted(command: ModuleType, toy: str) -> None:
    parser = command.build_parser()
    assert toy in " ".join(parser.format_help().split())
    if command is search:
        flags = parser.parse_args(["--ckpt", "x", "--frames", "x", "--detectors", toy])
        assert flags.detectors == [toy]
    else:
        assert TOY.help in " ".join(parser.format_help().split())
        words = ["bundle"] if command is calibrate else ["--ckpt", "x", "--frames", "x", "--out", "x"]
        assert parser.parse_args([*words, "--detector", toy]).detector == toy


def test_new_detector_in_a_bundle_is_calibrated_and_stands_in_its_card(
    toy: str, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    calibration = CalibrationOptions(detector=toy, rates={"10%": 0.1})
    options = RecalibrationOptions(bundle, tmp_path / "new", (frames,), calibration=calibration)
    recalibrate(options)
    manifest = read_manifest(options.destination)
    assert manifest.detector.kind == toy
    card = (options.destination / "README.md").read_text()
    assert f"{TOY.noun} on {manifest.detector.fit_frames} frames" in card
    with OoDMonitor(options.destination) as monitor:  # replays the golden frames
        assert monitor.threshold > 0


def test_new_detector_in_torchscript_is_refused(toy: str) -> None:
    options = ExportOptions(
        Path("x"), (Path("x"),), Path("x"), format="torchscript", calibration=CalibrationOptions(detector=toy)
    )
    expected = "neco or output-score with --format torchscript, got deviation"
    with pytest.raises(UsageError, match=expected):
        check_options(options)
    with pytest.raises(ValueError, match="expected a detector with a form in torch, got deviation"):
        DetectorScore(fit_detector(toy, ROWS), TOY)


def test_detector_spec_of_an_unknown_name_lists_those_there_are() -> None:
    names = "kde, kde-classifier, mahalanobis, mahalanobis-l2, knn, vim, neco, output-score"
    with pytest.raises(UsageError, match=f"among {names}, got 'svm'"):
        detector_spec("svm")
    assert ", ".join(detector_names()) == names
    assert detector_noun("svm") == "svm", "a bundle of another's detector still has a card"


@pytest.mark.parametrize("name", DETECTORS)
def test_fit_detector_of_the_fewest_frames_fits_and_of_one_fewer_is_refused(name: str) -> None:
    spec = DETECTORS[name]
    ood = ROWS + 2 if spec.needs_ood_frames else None
    detector = fit_detector(name, ROWS[: spec.fewest_frames], ood)
    assert np.isfinite(detector.score_samples(ROWS)).all()
    with pytest.raises(CalibrationError):
        fit_detector(name, ROWS[: spec.fewest_frames - 1], ood)


@pytest.mark.parametrize("name", NAMED_FEATURE_DETECTORS)
def test_named_feature_detector_of_the_fewest_frames_fits(name: str) -> None:
    spec = NAMED_FEATURE_DETECTORS[name]
    keys = tuple({"moments": LAYER, "logit_moments": LOGITS, "energy": ENERGY}[kind] for kind in spec.reads)
    drive = recording(0)
    few = {key: rows[: spec.fewest_frames] for key, rows in drive.features.items()}
    part = fit_part(PartOptions(name, keys), few, drive.drives[: spec.fewest_frames])
    assert np.isfinite(part.raw(drive.features)).all()
    fewer = {key: rows[: spec.fewest_frames - 1] for key, rows in drive.features.items()}
    with pytest.raises(CalibrationError, match=f"at least {spec.fewest_frames} frames to fit {re.escape(part.name)}"):
        fit_part(PartOptions(name, keys), fewer, drive.drives[: spec.fewest_frames - 1])


def test_detector_table_of_the_registry_has_a_row_for_each_detector() -> None:
    head, rule, *rows = detector_table().splitlines()
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    assert [row.split("`")[1] for row in rows] == [*DETECTORS, *NAMED_FEATURE_DETECTORS]
    assert all(name in head for name in ("score", "features", "unit", "TorchScript"))


def test_registry_when_imported_loads_nothing_heavy() -> None:
    code = (
        "import sys; from export.detectors.registry import DETECTORS, detector_help; detector_help(); "
        "print({name.partition('.')[0] for name in sys.modules} & {'numpy', 'sklearn', 'skl2onnx', 'onnx', 'torch'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
