# SPDX-License-Identifier: Apache-2.0
"""Networks that end in one channel, a sigmoid or a softmax: scores and class maps of their bundles against torch's."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical
from torch.nn import functional as F

from export.calibration.options import CalibrationOptions
from export.errors import ConversionError
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, export_monitor
from lsood_runtime import OoDMonitor
from tests.networks import ColourOutput, settled

MEAN, STD = (0.46, 0.45, 0.44), (0.5, 0.5, 0.5)
READ = "predictive_entropy/mean"


def options(folder: Path, frames: Path, ending: str, **given: Any) -> ExportOptions:
    torch.manual_seed(3)
    torch.save(settled(ColourOutput(ending)).state_dict(), folder / "network.pt")
    return ExportOptions(
        folder / "network.pt",
        (frames,),
        folder / "bundle",
        model="tests.networks:ColourOutput",
        model_args={"ending": ending},
        mean=MEAN,
        std=STD,
        mc_samples=8,
        calibration=CalibrationOptions(detector="output-score", reads=(READ,)),
        **given,
    )


def network_on(rgb: np.ndarray[Any, np.dtype[np.uint8]], ending: str) -> Tensor:
    """What the network with this ending gives, in float64 but for the pass itself."""
    torch.manual_seed(3)
    network = settled(ColourOutput(ending))
    images = torch.from_numpy(((rgb / 255 - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)[None]).float()
    with torch.no_grad():
        output: Tensor = network(images).double()
    return output


@pytest.mark.parametrize(("ending", "form"), [("logit", None), ("sigmoid", "probabilities")])
def test_export_of_one_channel_as_binary_has_two_classes_and_their_scores(
    ending: str, form: Any, tmp_path: Path, own_size_frames: Path
) -> None:
    given = options(tmp_path, own_size_frames, ending, segmentation="binary", network_output=form, fuse=True)
    manifest = export_monitor(given).manifest
    assert (manifest.segmentation.kind, manifest.segmentation.num_classes) == ("classes", 2)
    evaluation = ort.InferenceSession(tmp_path / "bundle" / "evaluation.onnx", providers=["CPUExecutionProvider"])
    files, scores = FrameFiles((own_size_frames,)), []
    with OoDMonitor(tmp_path / "bundle") as monitor:
        for i in (5, 20):
            rgb = np.array(files[i])
            logit = network_on(rgb, "logit")[0, 0]
            verdict = monitor.assess(rgb)
            wanted = (logit > 0).numpy()
            assert 0.02 < wanted.mean() < 0.98  # the map is not all of one class
            assert np.mean(np.asarray(verdict.segmentation) != wanted) < 0.002
            assert verdict.score == pytest.approx(float(Bernoulli(logits=logit).entropy().mean()), abs=2e-3)  # type: ignore[no-untyped-call]
            outputs = [f"{kind}/mean" for kind in ("energy", "maximum_softmax")]
            energy, softmax = (value.item() for value in evaluation.run(outputs, {"frame": rgb[None]}))
            assert energy == pytest.approx(float(-F.softplus(logit).mean()), abs=2e-2)
            assert softmax == pytest.approx(float(-torch.sigmoid(logit.abs()).mean()), abs=1e-3)
            scores.append(verdict.score)
    assert abs(scores[0] - scores[1]) > 1e-3  # and the score is not the same for every frame


@pytest.mark.parametrize(("ending", "form"), [("softmax", "probabilities"), ("log_softmax", "log-probabilities")])
def test_export_of_probabilities_has_the_scores_of_their_logits(
    ending: str, form: Any, tmp_path: Path, own_size_frames: Path
) -> None:
    export_monitor(options(tmp_path, own_size_frames, ending, network_output=form))
    evaluation = ort.InferenceSession(tmp_path / "bundle" / "evaluation.onnx", providers=["CPUExecutionProvider"])
    rgb = np.array(FrameFiles((own_size_frames,))[5])
    logs = network_on(rgb, "log_softmax")[0]
    centred = logs - logs.mean(0)
    with OoDMonitor(tmp_path / "bundle") as monitor:
        verdict = monitor.assess(rgb)
    assert verdict.score == pytest.approx(float(Categorical(logits=logs.movedim(0, -1)).entropy().mean()), abs=1e-4)  # type: ignore[no-untyped-call]
    assert np.mean(np.asarray(verdict.segmentation) != logs.argmax(0).numpy()) < 0.002
    (energy,) = evaluation.run(["energy/mean"], {"frame": rgb[None]})
    assert energy.item() == pytest.approx(float(-torch.logsumexp(centred, 0).mean()), abs=1e-3)


@pytest.mark.parametrize(
    ("ending", "given", "message"),
    [
        ("logit", {}, "--segmentation binary"),
        ("logit", {"segmentation": "logits"}, "--segmentation binary"),
        ("sigmoid", {"segmentation": "binary"}, "--network-output probabilities"),
        ("softmax", {}, "--network-output probabilities"),
        ("softmax", {"segmentation": "logits"}, "--network-output probabilities"),
        ("softmax", {"segmentation": "binary"}, "--segmentation classes"),
        ("log_softmax", {}, "--network-output log-probabilities"),
        ("logit", {"segmentation": "binary", "network_output": "probabilities"}, "outputs for 4 frames are none"),
    ],
)
def test_export_of_an_output_that_is_not_what_is_said_is_refused(
    ending: str, given: dict[str, Any], message: str, tmp_path: Path, own_size_frames: Path
) -> None:
    with pytest.raises(ConversionError, match=message):
        export_monitor(options(tmp_path, own_size_frames, ending, **given))
    assert not (tmp_path / "bundle").exists()
