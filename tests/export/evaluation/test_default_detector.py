# SPDX-License-Identifier: Apache-2.0
"""The rule by which the fused detector is the default: on drives of IDD-lite left out it keeps up with its best part."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.anomalies import ANOMALIES
from export.anomalies.frame_set import FrameSource
from export.calibration.calibrate import calibrate
from export.calibration.detector_choice import choose_parts
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.detectors.auroc import auroc
from export.detectors.cross_fit import deal_folds
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, export_monitor
from tests.paths import SHARED

IDD, MODELS = SHARED / "data" / "idd_lite", SHARED / "models"
EVERY, SEVERITY, AGREEMENT = 6, 3, 0.85
Rows = dict[FeatureKey, NDArray[np.float32]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (IDD.is_dir() and MODELS.is_dir()), reason=f"no IDD-lite or no network at {SHARED}"),
]


def stacked(rows: list[Rows]) -> Rows:
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory, monitor_frames: list[Path]) -> EvaluationGraphs:
    """The network that was not made here, with every feature of a frame."""
    out = tmp_path_factory.mktemp("idd") / "monitor"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(MODELS))
        options = ExportOptions(
            MODELS / "idd_mobilenetv2.ckpt",
            tuple(monitor_frames),
            out,
            model="idd_net:Net",
            tap=("drop",),
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            input_size=(224, 320),
            calibration=CalibrationOptions(group_by="prefix"),
        )
        export_monitor(options)
    return EvaluationGraphs(out)


@pytest.fixture(scope="module")
def monitor_frames() -> list[Path]:
    """Frames of the drives that trained no network, in the order of recording."""
    drives = set((IDD / "drives_monitor.txt").read_text().split())
    return [path for path in sorted((IDD / "train").glob("*.jpg")) if path.stem.partition("_")[0] in drives]


def test_fused_detector_on_drives_left_out_keeps_up_with_its_best_part(
    graphs: EvaluationGraphs, monitor_frames: list[Path]
) -> None:
    """Two splits of the drives in halves: fitted on one half and judged on the other, and the other way round."""
    files = FrameFiles(monitor_frames)
    clean, classes = [], []
    for frame in files:
        measured = graphs(frame)
        assert measured.segmentation is not None
        clean.append(dict(measured.values))
        classes.append(measured.segmentation)
    hurting: list[Rows] = []
    hurt_frames: list[int] = []
    for kind in ANOMALIES:
        chosen = tuple(range(0, len(files), EVERY))
        source = FrameSource(kind, files, chosen, kind, SEVERITY, 0)
        for i, index in enumerate(chosen):
            measured = graphs(source[i])
            assert measured.segmentation is not None
            if (measured.segmentation == classes[index]).mean() < AGREEMENT:
                hurting.append(dict(measured.values))
                hurt_frames.append(index)
    assert len(hurting) > 100, "severity 3 hurts a network of 0.59 mIoU on many frames"
    every, shifted = stacked(clean), stacked(hurting)
    drives = [path.stem.partition("_")[0] for path in monitor_frames]

    options = CalibrationOptions(group_by="prefix", guarantee="drives")
    choice = choose_parts(options, graphs.available, graphs.manifest.tap.layers)
    for seed in (0, 1):
        for judged in deal_folds(drives, 2, seed):
            fitted = np.setdiff1d(np.arange(len(files)), judged)
            own = {key: every[key][fitted] for key in choice.keys}
            split = split_frames([monitor_frames[i] for i in fitted], options)
            calibration = calibrate(own, split, options, choice)
            detector, point = calibration.detector, calibration.points["5%"]
            of_judged = {key: every[key][judged] for key in choice.keys}
            of_hurting = {key: values[np.isin(hurt_frames, judged)] for key, values in shifted.items()}

            ind, ood = detector.part_scores(of_judged), detector.part_scores(of_hurting)
            parts = [auroc(ind[:, p], ood[:, p]) for p in range(ind.shape[1])]
            fused = auroc(ind.sum(axis=1), ood.sum(axis=1))
            assert fused >= max(parts) - 0.01, (seed, fused, parts)
            assert fused > 0.98, "below this it would not be worth a default"
            flagged = float((detector.score(of_judged) > point.value).mean())
            assert point.new_drives_high is not None
            assert flagged <= point.new_drives_high, (seed, flagged, point)
