# SPDX-License-Identifier: Apache-2.0
"""A callback of PyTorch Lightning that exports the monitor of the network that was trained, judges it and logs the figures.

monitor = ExportMonitor("calibration/", "monitor/", ind="unseen/", ood={"fog": "fog/"}, options={"answers": ["quality"]})
pl.Trainer(callbacks=[monitor]).fit(module, data)
"""

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_warn

from export.cli.keyword_options import Paths, keyword_options, path_words
from export.errors import CheckpointError, ExportError, UsageError, first_line
from export.evaluation.evaluate import evaluate
from export.evaluation.frame_sources import frame_sources
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_page import check_report_folder, check_report_packages, write_report
from export.evaluation.result import Evaluation
from export.frames.drives import drive_names
from export.frames.labels import MASKS, label_files
from export.pipeline.export_monitor import ExportOptions, export_monitor, plan_export
from export.sampling.full_precision import without_autocast

_SHARDED = ("FSDPStrategy", "DeepSpeedStrategy", "ModelParallelStrategy")


class ExportMonitor(pl.Callback):
    """Export the monitor of the best checkpoint when a training ends, and of every better one if asked.

    The options are checked with the network before its first batch, so that a training of a day does not end in a wrong name.
    A copy is exported, on the CPU in float32: the network that is trained keeps weights, mode and device. Its weights are
    those of the best checkpoint of the trainer's callback that watches a figure, else of another one, or the last ones where
    there is none.

    Of several processes the first one exports. At the end the others do not wait for it. With ``every_best`` they do, in the
    next step of the training: an export must then take less than the timeout of the process group.

    Every logger of the trainer gets the figures under names such as ``monitor/auroc/fog``. MLflow and Weights & Biases get
    the bundle, and the report, as artifacts as well.

    Args:
        frames: in-distribution frames that the network has not seen: folders or image files.
        out: the bundle's folder. It must be new; a better checkpoint then replaces the bundle of the one before.
        options: of ``python -m export`` as its configuration file has them, such as ``{"tap": "drop", "mc-samples": 32}``.
        ind: in-distribution frames that neither network nor monitor have seen. With them the bundle is evaluated.
        ood: out-of-distribution frames by name.
        report: folder of the evaluation's report, another than ``out``; None for none.
        evaluate_options: of ``python -m export evaluate``, such as ``{"labels": "labels/", "every": 10}``.
        every_best: export whenever there is a better checkpoint, before the next epoch.

    Attributes:
        evaluation: of the bundle that was exported last; None before, and without ``ind``.

    Raises:
        UsageError: options that are none, or that cannot be used together.
    """

    def __init__(
        self,
        frames: Paths,
        out: str | os.PathLike[str],
        *,
        options: Mapping[str, Any] | None = None,
        ind: Paths = (),
        ood: Mapping[str, Paths] | None = None,
        report: str | os.PathLike[str] | None = None,
        evaluate_options: Mapping[str, Any] | None = None,
        every_best: bool = False,
    ) -> None:
        super().__init__()
        given = {"frames": path_words(frames), "out": os.fspath(out)}
        # The network takes the place of a checkpoint, which the table asks for.
        exported = keyword_options(ExportOptions, {"ckpt": os.devnull, **given}, options or {}, "options")
        self._options = replace(exported, ckpt=None)
        self._judged: EvaluationOptions | None = None
        self._report = None if report is None else Path(report)
        if self._report is not None and self._report.resolve() == self._options.out.resolve():
            raise UsageError(f"expected a report outside of {out}, got the bundle's own folder: choose another report")
        if path_words(ind):
            sets = {name: tuple(map(Path, path_words(paths))) for name, paths in (ood or {}).items()}
            bundle, given = [os.fspath(out)], {"ind": path_words(ind)}
            judged = keyword_options(EvaluationOptions, given, evaluate_options or {}, "evaluate_options", bundle)
            self._judged = replace(judged, ood=sets)
        elif ood or report is not None or evaluate_options:
            raise UsageError("expected ind, frames to evaluate with, got none: give them, or leave the evaluation out")
        self._every_best = every_best
        self._exported: BestCheckpoint | None = None
        self.evaluation: Evaluation | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find out before the first batch what would fail after the last one, in every process alike.

        Raises:
            ExportError: the network cannot be exported with these options, or the evaluation's frames cannot be used.
        """
        self._exported = None
        problem: str | None = None
        if trainer.is_global_zero:
            try:
                self._check(trainer, pl_module)
            except ExportError as error:
                if trainer.world_size == 1:
                    raise
                problem = str(error)
        problem = trainer.strategy.broadcast(problem)
        if problem is not None:
            raise UsageError(problem)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export the best checkpoint of the epochs before, where it is a new one; a warning where that fails."""
        if not (self._every_best and trainer.is_global_zero):
            return
        best = best_checkpoint(trainer)
        if best is None or best == self._exported:
            return
        try:
            self._export(trainer, pl_module, best)
        except ExportError as error:
            rank_zero_warn(f"{best.path} was not exported: {error}")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export the best checkpoint, unless that was done; without one the last weights.

        Raises:
            ExportError: the export or the evaluation failed.
        """
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = best_checkpoint(trainer)
        if best is None or best != self._exported:
            self._export(trainer, pl_module, best)

    def _check(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        strategy = type(trainer.strategy).__name__
        if strategy in _SHARDED:
            raise UsageError(
                f"expected a strategy under which every process has all weights, got {strategy}: leave the callback out and "
                "give the whole checkpoint to python -m export --ckpt"
            )
        places = [str(getattr(each, "dirpath", "")) for each in trainer.checkpoint_callbacks]
        if far := [place for place in places if "://" in place]:
            raise UsageError(f"expected checkpoints on this machine's disks, got {far[0]}: give them a local folder")
        if self._report is not None:
            check_report_packages()
            check_report_folder(self._report)
        if self._judged is not None:
            check_sets(self._judged, self._options)
        with without_autocast():
            plan_export(self._options, network=module).ready()

    def _export(self, trainer: pl.Trainer, module: pl.LightningModule, best: "BestCheckpoint | None") -> None:
        network = module if best is None else with_weights(module, best.path)
        options = replace(self._options, overwrite=self._options.overwrite or self._exported is not None)
        result = export_monitor(options, network=network)
        self._exported = best or BestCheckpoint("", None, 0)
        figures = {"monitor/parity/score_max_abs": result.parity.score_max_abs}
        folders = {"monitor": self._options.out}
        try:
            if self._judged is not None:
                self.evaluation = evaluate(self._judged)
                figures |= figures_of(self.evaluation)
                if self._report is not None:
                    write_report(self.evaluation, self._report, f"{type(self).__name__} of {type(module).__name__}")
                    folders["report"] = self._report
        finally:  # the bundle is there, whatever becomes of its evaluation
            for logger in trainer.loggers:
                log(logger, figures, trainer.global_step, folders)


@dataclass(frozen=True)
class BestCheckpoint:
    """A checkpoint file; one that was written again under the same name is another one.

    Attributes:
        path: of the file.
        score: that made it the best.
        written: time of its last change, nanoseconds; 0 where the file is not on this machine's disks.
    """

    path: str
    score: float | None
    written: int


def best_checkpoint(trainer: pl.Trainer) -> BestCheckpoint | None:
    """The best checkpoint so far, of the callback that watches a figure if there is one; None where none was written."""
    written = [each for each in trainer.checkpoint_callbacks if getattr(each, "best_model_path", "")]
    written.sort(key=lambda each: getattr(each, "monitor", None) is None)
    if not written:
        return None
    path, score = str(written[0].best_model_path), getattr(written[0], "best_model_score", None)  # type: ignore[attr-defined]
    time = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
    return BestCheckpoint(path, None if score is None else float(score), time)


def with_weights(module: pl.LightningModule, path: str) -> pl.LightningModule:
    """A copy of the module on the CPU with the weights of a checkpoint, loaded as the trainer would load it.

    Raises:
        CheckpointError: the file cannot be read, or does not fit.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)  # written by this training
        copied = copy.deepcopy(module).to("cpu")
        copied.on_load_checkpoint(checkpoint)
        copied.load_state_dict(checkpoint["state_dict"], strict=module.strict_loading)
    except Exception as error:  # a module may refuse in any way
        raise CheckpointError(
            f"expected the best checkpoint at {path} to load, got {first_line(error)}: keep it there"
        ) from error
    return copied


def check_sets(options: EvaluationOptions, exported: ExportOptions) -> None:
    """Look for the frames, labels and masks of an evaluation, and the operating point that its bundle is to have.

    Raises:
        UsageError: there are none, or they cannot be told apart.
    """
    for source in frame_sources(options, "rgb"):
        drive_names([source.files.paths[i] for i in source.indices], options.group_by)
    label_files(options.labels)
    label_files(options.masks, MASKS)
    names = list(exported.calibration.rates)
    if options.operating_point not in (None, *names):
        raise UsageError(
            f"expected an operating point of the bundle ({', '.join(names)}), got {options.operating_point}: name one of them"
        )


def figures_of(evaluation: Evaluation) -> dict[str, float]:
    """Figures of an evaluation, by the names that loggers show."""
    figures = {"monitor/false_alarm_rate": evaluation.false_alarm_rate.value}
    if evaluation.ind_iou is not None:
        figures["monitor/miou"] = evaluation.ind_iou.value
    for shift in evaluation.shifts:
        figures |= {f"monitor/{name}/{shift.name}": value.value for name, value in shift.figures.items()}
    return figures


def log(logger: Any, figures: Mapping[str, float], step: int, folders: Mapping[str, Path]) -> None:
    """Give a logger the figures, and the folders where it keeps artifacts."""
    logger.log_metrics(dict(figures), step)
    # By name: loggers are those of pytorch_lightning or of lightning, either of which may be missing.
    kinds = {kind.__name__ for kind in type(logger).__mro__}
    if "MLFlowLogger" in kinds:
        for name, folder in folders.items():
            logger.experiment.log_artifacts(logger.run_id, str(folder), name)
    elif "WandbLogger" in kinds:
        import wandb  # type: ignore[import-not-found]

        for name, folder in folders.items():
            artifact = wandb.Artifact(f"{name}-{logger.experiment.id}", name)
            artifact.add_dir(str(folder))
            logger.experiment.log_artifact(artifact)
