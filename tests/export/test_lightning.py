# SPDX-License-Identifier: Apache-2.0
"""A training whose callback leaves a verified bundle, an evaluation and figures in every logger."""

import csv
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning.pytorch.loggers import WandbLogger  # of the other package
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger

from export.data.synthetic import SyntheticRoads
from export.errors import CheckpointError, ExportError, UsageError
from export.lightning import BestCheckpoint, ExportMonitor, best_checkpoint, with_weights
from export.models import DeepLabV3PlusModule
from lsood_runtime import OoDMonitor
from tests.conftest import FRAME_SIZE, INPUT_SIZE, small_network, write_scenes
from tests.export.lightning_stand_ins import Artifact, Experiment, FirstIsBest, TwoLayers, scenes, stand_in, trainer
from tests.paths import ROOT

OPTIONS = {"mc-samples": 8, "false-alarm-rate": ["10%=0.1"], "detector": "kde"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames for the monitor and for its evaluation."""
    place = tmp_path_factory.mktemp("frames")
    for seed, (name, count) in enumerate({"calibration": 20, "unseen": 6, "other": 6}.items()):
        write_scenes(place / name, count, seed=40 + seed)
    return place


def monitor_of(folders: Path, place: Path, **options: Any) -> ExportMonitor:
    given: dict[str, Any] = {
        "ind": folders / "unseen",
        "ood": {"other": folders / "other"},
        "evaluate_options": {"synthetic": "none"},
    }
    return ExportMonitor(folders / "calibration", place / "monitor", options=OPTIONS, **(given | options))


def segmentation(bundle: Path, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    with OoDMonitor(bundle) as monitor:
        classes = monitor.assess(frame).segmentation
    assert classes is not None
    return classes.astype(np.uint8)


def classes_of(network: pl.LightningModule, frame: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Classes by PyTorch alone, at the network's own size."""
    mean, std = (torch.tensor(network.hparams[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    small = torch.nn.functional.interpolate(pixels, INPUT_SIZE, mode="bilinear", antialias=True)
    with torch.no_grad():
        logits = network.eval()((small - mean) / std)
    return np.asarray(torch.as_tensor(logits).argmax(dim=1)[0])


@pytest.fixture(scope="module")
def trained(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two epochs with every kind of logger, of which the first one leaves the best checkpoint."""
    place = tmp_path_factory.mktemp("trained")
    kept = ModelCheckpoint(place / "checkpoints", monitor="loss_of_epoch", save_on_train_epoch_end=True)
    monitor, before = monitor_of(folders, place, report=place / "report"), FirstIsBest()
    experiments, figures = [Experiment(), Experiment()], [dict[str, float](), dict[str, float]()]
    kinds = zip((MLFlowLogger, WandbLogger), experiments, figures, strict=True)
    loggers = [CSVLogger(place, "logs"), *(stand_in(*row) for row in kinds)]
    network = small_network(optimizer_lr=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", SimpleNamespace(Artifact=Artifact))
        given = trainer(place, before, monitor, kept, logger=loggers, enable_checkpointing=True)
        given.fit(network, scenes(), scenes())
    loggers[0].save()
    return SimpleNamespace(
        place=place,
        monitor=monitor,
        before=before,
        kept=kept,
        network=network,
        experiments=experiments,
        figures=figures,
    )


def test_training_leaves_a_verified_bundle_and_a_report(trained: SimpleNamespace) -> None:
    with OoDMonitor(trained.place / "monitor") as opened:
        assert opened.self_test().passed
    told = json.loads((trained.place / "report" / "figures.json").read_text())
    assert [row["name"] for row in told["shifts"]] == ["other"]


def test_every_logger_gets_the_figures_of_the_evaluation(trained: SimpleNamespace) -> None:
    with (trained.place / "logs" / "version_0" / "metrics.csv").open() as file:
        logged = {name: float(value) for row in csv.DictReader(file) for name, value in row.items() if value}
    evaluation = trained.monitor.evaluation
    expected = {
        "monitor/auroc/other": evaluation.shifts[0].figures["auroc"].value,
        "monitor/false_alarm_rate": evaluation.false_alarm_rate.value,
    }
    for figures in (logged, *trained.figures):
        assert {name: figures[name] for name in expected} == pytest.approx(expected)
        assert 0 <= figures["monitor/parity/score_max_abs"] < 1e-3


def test_servers_of_experiments_get_bundle_and_report_as_artifacts(trained: SimpleNamespace) -> None:
    mlflow, wandb = ([row for row in experiment.sent if "artifact" in row[0]] for experiment in trained.experiments)
    folders = {name: str(trained.place / name) for name in ("monitor", "report")}
    assert mlflow == [("log_artifacts", "run", folder, name) for name, folder in folders.items()]
    assert [(artifact.name, artifact.kind, artifact.folders) for _, artifact in wandb] == [
        (f"{name}-run", name, [folder]) for name, folder in folders.items()
    ]


def test_network_keeps_its_weights_and_mode(trained: SimpleNamespace) -> None:
    assert trained.network.training == trained.before.is_training
    assert all(parameter.requires_grad for parameter in trained.network.parameters())
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(value, trained.before.state[name], rtol=0, atol=0)


def test_weights_are_those_of_the_best_checkpoint(trained: SimpleNamespace) -> None:
    assert "epoch=0" in trained.kept.best_model_path
    best = small_network()
    best.load_state_dict(torch.load(trained.kept.best_model_path, weights_only=False)["state_dict"])
    last = small_network()
    last.load_state_dict(trained.before.state)
    frame = SyntheticRoads(1, *FRAME_SIZE, seed=3)[0][0]
    told, expected = segmentation(trained.place / "monitor", frame), classes_of(best, frame)
    assert np.mean(told != expected) < 0.01
    assert np.mean(classes_of(last, frame) != expected) > 0.01


@pytest.mark.slow
def test_every_better_checkpoint_replaces_the_bundle(folders: Path, tmp_path: Path) -> None:
    manifests = []

    class Look(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
            manifest = tmp_path / "monitor" / "manifest.json"
            manifests.append(manifest.read_text() if manifest.exists() else None)

    kept = ModelCheckpoint(tmp_path / "checkpoints", monitor="loss_of_epoch", mode="max", save_on_train_epoch_end=True)
    monitor = monitor_of(folders, tmp_path, every_best=True)
    callbacks = (FirstIsBest(), monitor, Look(), kept)
    trainer(tmp_path, *callbacks, enable_checkpointing=True, max_epochs=3).fit(small_network(), scenes(), scenes())
    manifests.append((tmp_path / "monitor" / "manifest.json").read_text())
    assert manifests[0] is None
    assert len({*manifests}) == 4


@pytest.mark.slow
def test_weights_are_the_last_ones_without_checkpoints(folders: Path, tmp_path: Path) -> None:
    network = small_network(optimizer_lr=0.1)
    monitor = monitor_of(folders, tmp_path, ind=(), ood=None, evaluate_options=None)
    trainer(tmp_path, monitor).fit(network, scenes(), scenes())
    frame = SyntheticRoads(1, *FRAME_SIZE, seed=3)[0][0]
    assert np.mean(segmentation(tmp_path / "monitor", frame) != classes_of(network, frame)) < 0.01


@pytest.mark.parametrize(
    ("frames", "given", "words"),
    [
        ("calibration", {"options": {"tap": "no.such.layer"}}, "no.such.layer"),
        ("missing", {}, "missing"),
        ("calibration", {"ind": "no/such/ind"}, "no/such/ind"),
        ("calibration", {"ood": {"fog": "no/such/fog"}}, "no/such/fog"),
        ("calibration", {"evaluate_options": {"labels": "no/such/labels"}}, "no/such/labels"),
        ("calibration", {"evaluate_options": {"operating-point": "2%"}}, "expected an operating point of the bundle"),
    ],
)
def test_what_would_fail_at_the_end_is_found_before_the_first_batch(
    folders: Path, tmp_path: Path, frames: str, given: dict[str, Any], words: str
) -> None:
    judged: dict[str, Any] = {"ind": folders / "unseen", "evaluate_options": {"synthetic": "none"}}
    batches: list[int] = []

    class Count(pl.Callback):
        def on_train_batch_start(self, *arguments: Any) -> None:
            batches.append(len(arguments))

    with pytest.raises(ExportError, match=words):
        trainer(tmp_path, Count(), ExportMonitor(folders / frames, tmp_path / "monitor", **(judged | given))).fit(
            small_network(), scenes(), scenes()
        )
    assert not batches
    assert not (tmp_path / "monitor").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"options": {"mc-sample": 3}}, "did you mean mc-samples"),
        ({"options": {"frames": "more/"}}, "expected frames beside options, got it in there"),
        ({"options": {"mc-samples": 0}}, "expected --mc-samples of at least 1, got 0"),
        ({"ood": {"fog": "fog/"}}, "expected ind, frames to evaluate with, got none"),
        ({"report": "report/"}, "expected ind, frames to evaluate with, got none"),
        ({"ind": "unseen/", "evaluate_options": {"evry": 2}}, "did you mean every"),
        ({"ind": "unseen/", "evaluate_options": {"ood": ["fog=fog/"]}}, "expected ood beside evaluate_options"),
        ({"ind": "unseen/", "evaluate_options": {"bundle": "other/"}}, "expected bundle beside evaluate_options"),
        ({"ind": "unseen/", "report": "monitor/"}, "expected a report outside of monitor/"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ExportMonitor("calibration/", "monitor/", **options)


def test_checkpoint_that_was_deleted_is_told(folders: Path, tmp_path: Path) -> None:
    class Delete(pl.Callback):
        def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
            Path(trainer.checkpoint_callback.best_model_path).unlink()  # type: ignore[union-attr]

    kept = ModelCheckpoint(tmp_path / "checkpoints")
    monitor = monitor_of(folders, tmp_path, ind=(), ood=None, evaluate_options=None)
    with pytest.raises(CheckpointError, match="expected the best checkpoint at"):
        trainer(tmp_path, Delete(), monitor, kept, enable_checkpointing=True).fit(small_network(), scenes(), scenes())


CONFIGURATION = """
trainer:
  max_epochs: 3
  callbacks:
    - class_path: export.lightning.ExportMonitor
      init_args:
        frames: [calibration/]
        out: runs/monitor
        ind: [drive/]
        ood: {dusk: [dusk/]}
        options: {answers: [quality, cause], group-by: prefix}
model:
  backbone_name: resnet18
  n_class: 8
"""


def test_configuration_of_lightning_cli_makes_the_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(CONFIGURATION)
    monkeypatch.setattr(sys, "argv", ["train.py", "--config", str(tmp_path / "config.yaml")])
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of jsonargparse, by what LightningCLI itself does
        cli = LightningCLI(DeepLabV3PlusModule, run=False, save_config_callback=None, seed_everything_default=False)
    callbacks: list[pl.Callback] = vars(cli.trainer)["callbacks"]
    (monitor,) = (callback for callback in callbacks if isinstance(callback, ExportMonitor))
    assert monitor._options.frames == (Path("calibration"),)
    assert monitor._options.answers.answers == ("quality", "cause")
    assert monitor._judged is not None
    assert monitor._judged.ood == {"dusk": (Path("dusk"),)}


@pytest.mark.slow
def test_checkpoint_that_is_written_again_under_its_name_is_exported_again(folders: Path, tmp_path: Path) -> None:
    kept = ModelCheckpoint(
        tmp_path / "checkpoints", "best", monitor="loss_of_epoch", mode="max", enable_version_counter=False
    )
    monitor = monitor_of(folders, tmp_path, ind=(), ood=None, evaluate_options=None, every_best=True)
    network = small_network(optimizer_lr=0.1)
    given = trainer(tmp_path, FirstIsBest(), monitor, kept, enable_checkpointing=True)
    given.fit(network, scenes(), scenes())
    frame = SyntheticRoads(1, *FRAME_SIZE, seed=3)[0][0]
    assert np.mean(segmentation(tmp_path / "monitor", frame) != classes_of(network, frame)) < 0.01


def test_best_checkpoint_is_that_of_the_callback_that_watches_a_figure(tmp_path: Path) -> None:
    every, best = ModelCheckpoint(tmp_path, "every"), ModelCheckpoint(tmp_path, "best", monitor="loss_of_epoch")
    given = trainer(tmp_path, OnExceptionCheckpoint(tmp_path), every, best, enable_checkpointing=True)
    assert best_checkpoint(given) is None
    every.best_model_path = str(tmp_path / "every.ckpt")
    assert best_checkpoint(given) == BestCheckpoint(str(tmp_path / "every.ckpt"), None, 0)
    best.best_model_path, best.best_model_score = str(tmp_path / "best.ckpt"), torch.tensor(0.5)
    first = best_checkpoint(given)
    assert first == BestCheckpoint(str(tmp_path / "best.ckpt"), 0.5, 0)
    (tmp_path / "best.ckpt").write_bytes(b"")
    assert best_checkpoint(given) != first


def test_weights_of_a_checkpoint_pass_the_hook_of_the_module(tmp_path: Path) -> None:
    class Renamed(TwoLayers):
        def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            checkpoint["state_dict"] = {
                name.removeprefix("old."): value for name, value in checkpoint["state_dict"].items()
            }

    torch.manual_seed(0)
    network, trained = Renamed(), Renamed()
    state = {f"old.{name}": value for name, value in trained.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    loaded = with_weights(network, str(tmp_path / "last.ckpt"))
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
        assert not torch.equal(network.state_dict()[name], value)


def test_failed_export_in_mid_training_warns_and_the_training_goes_on(tmp_path: Path) -> None:
    monitor = ExportMonitor("calibration/", tmp_path / "monitor", every_best=True)
    kept = ModelCheckpoint(tmp_path, monitor="loss_of_epoch")
    given, network = trainer(tmp_path, monitor, kept, enable_checkpointing=True), small_network()
    kept.best_model_path = str(tmp_path / "missing.ckpt")
    with pytest.warns(UserWarning, match=r"missing\.ckpt was not exported: expected the best checkpoint"):
        monitor.on_train_epoch_start(given, network)
    with pytest.raises(CheckpointError, match="expected the best checkpoint"):
        monitor.on_fit_end(given, network)


def test_figures_of_the_export_are_logged_where_the_evaluation_fails(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(options: object) -> None:
        raise UsageError(f"expected other frames, got {options}: choose some")

    monkeypatch.setattr("export.lightning.evaluate", fail)
    exported = SimpleNamespace(parity=SimpleNamespace(score_max_abs=0.5))
    monkeypatch.setattr("export.lightning.export_monitor", Mock(return_value=exported))
    monitor, logger = monitor_of(folders, tmp_path), CSVLogger(tmp_path, "logs")
    given = trainer(tmp_path, monitor, logger=logger)
    with pytest.raises(UsageError, match="expected other frames"):
        monitor.on_fit_end(given, small_network())
    assert logger.experiment.metrics[0]["monitor/parity/score_max_abs"] == 0.5


def test_strategies_that_share_out_the_weights_are_refused(folders: Path, tmp_path: Path) -> None:
    class FSDPStrategy:
        def broadcast(self, given: object) -> object:
            return given

    standing = SimpleNamespace(is_global_zero=True, strategy=FSDPStrategy(), world_size=2)
    with pytest.raises(
        UsageError, match="expected a strategy under which every process has all weights, got FSDPStrategy"
    ):
        monitor_of(folders, tmp_path).on_fit_start(standing, small_network())  # type: ignore[arg-type]


def test_checkpoints_far_away_are_refused_before_the_first_batch(folders: Path, tmp_path: Path) -> None:
    kept = ModelCheckpoint("memory://checkpoints")
    given = trainer(tmp_path, monitor_of(folders, tmp_path), kept, enable_checkpointing=True)
    with pytest.raises(UsageError, match="expected checkpoints on this machine's disks, got memory://checkpoints"):
        given.fit(small_network(), scenes(), scenes())


def test_every_process_ends_with_what_the_first_one_found(folders: Path, tmp_path: Path) -> None:
    class Strategy:
        def broadcast(self, given: object) -> object:
            assert given is None
            return "expected frames, got none"

    standing = SimpleNamespace(is_global_zero=False, strategy=Strategy(), world_size=2)
    with pytest.raises(UsageError, match="expected frames, got none"):
        monitor_of(folders, tmp_path).on_fit_start(standing, small_network())  # type: ignore[arg-type]


def in_two_processes(folders: Path, place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A training in two processes that ends in time, whatever becomes of it."""
    (place / "calibration").symlink_to(folders / "calibration")
    command = [sys.executable, "-m", "tests.export.lightning_processes", str(place), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
@pytest.mark.parametrize("every_best", [False, True])
def test_first_of_two_processes_exports_and_both_end(
    folders: Path, tmp_path: Path, strategy: str, every_best: bool
) -> None:
    done = in_two_processes(folders, tmp_path, strategy, "deeplab_v3plus_model.drop_block1", str(every_best))
    assert done.returncode == 0, done.stderr
    epochs = [Path(line).stem for line in (tmp_path / "exports-0").read_text().split()]
    assert [epoch.partition("-")[0] for epoch in epochs] == (["epoch=0"] if every_best else []) + ["epoch=1"]
    assert not (tmp_path / "exports-1").exists()
    assert all((tmp_path / f"ended-{rank}").exists() for rank in (0, 1))
    with OoDMonitor(tmp_path / "monitor") as opened:
        assert opened.self_test().passed


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
def test_both_of_two_processes_end_before_the_first_batch_where_an_option_is_wrong(
    folders: Path, tmp_path: Path, strategy: str
) -> None:
    done = in_two_processes(folders, tmp_path, strategy, "no.such.layer", "False")
    assert done.returncode != 0
    assert "no.such.layer" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "checkpoints") == ["calibration"]
