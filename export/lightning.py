# SPDX-License-Identifier: Apache-2.0
"""A callback of PyTorch Lightning that exports the monitor of the network that was trained, judges it and logs the figures.

monitor = ExportMonitor("calibration/", "monitor/", ind="unseen/", ood={"fog": "fog/"}, options={"answers": ["quality"]})
pl.Trainer(callbacks=[monitor]).fit(module, data)
"""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytorch_lightning as pl
import torch

from export.cli.config_file import mapping_arguments
from export.cli.flags import CommandParser, options_from
from export.errors import CheckpointError, UsageError, first_line
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_page import check_report_folder, check_report_packages, write_report
from export.evaluation.result import Evaluation
from export.option_table import options_of
from export.pipeline.export_monitor import ExportOptions, ExportResult, export_monitor, plan_export
from export.sampling.full_precision import without_autocast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

Table = TypeVar("Table", bound="OptionTable")
Paths = Sequence[str | os.PathLike[str]] | str | os.PathLike[str]  # the list first: LightningCLI takes what fits first


class ExportMonitor(pl.Callback):
    """Export the monitor of the best checkpoint when a training ends, and of every better one if asked.

    The options are checked with the network before its first batch, so that a training of a day does not end in a wrong name.
    A copy is exported, on the CPU in float32: the network that is trained keeps weights, mode and device. Its weights are
    those of the best checkpoint of the trainer's checkpoint callback, or the last ones where there is none. Of several
    processes the first exports while the others wait.

    Every logger of the trainer gets the figures under names such as ``monitor/auroc/fog``. MLflow and Weights & Biases get
    the bundle, and the report, as artifacts as well.

    Args:
        frames: in-distribution frames that the network has not seen: folders or image files.
        out: the bundle's folder. It must be new; a better checkpoint then replaces the bundle of the one before.
        options: of ``python -m export`` as its configuration file has them, such as ``{"tap": "drop", "mc-samples": 32}``.
        ind: in-distribution frames that neither network nor monitor have seen. With them the bundle is evaluated.
        ood: out-of-distribution frames by name.
        report: folder of the evaluation's report; None for none.
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
        given = {"frames": _words(frames), "out": os.fspath(out)}
        # The network takes the place of a checkpoint, which the table asks for.
        exported = _options_from(ExportOptions, {"ckpt": os.devnull, **given}, options or {}, "options")
        self._options = replace(exported, ckpt=None)
        self._judged: EvaluationOptions | None = None
        self._report = None if report is None else Path(report)
        if _words(ind):
            sets = {name: tuple(map(Path, _words(paths))) for name, paths in (ood or {}).items()}
            bundle, given = [os.fspath(out)], {"ind": _words(ind)}
            judged = _options_from(EvaluationOptions, given, evaluate_options or {}, "evaluate_options", bundle)
            self._judged = replace(judged, ood=sets) if sets else judged
        elif ood or report is not None or evaluate_options:
            raise UsageError("expected ind, frames to evaluate with, got none: give them, or leave the evaluation out")
        self._every_best = every_best
        self._exported: str | None = None
        self.evaluation: Evaluation | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find out before the first batch what would fail after the last one.

        Raises:
            ExportError: the network cannot be exported with these options, and why.
        """
        if trainer.is_global_zero:
            if self._report is not None:
                check_report_packages()
                check_report_folder(self._report)
            with without_autocast():
                plan_export(self._options, network=pl_module).ready()
        trainer.strategy.barrier("ExportMonitor")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export the best checkpoint of the epochs before, where it is a new one."""
        best = _best_checkpoint(trainer)
        if self._every_best and best is not None and best != self._exported:
            self._export(trainer, pl_module, best)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export the best checkpoint, unless that was done; without one the last weights."""
        best = _best_checkpoint(trainer)
        if not trainer.fast_dev_run and (best is None or best != self._exported):  # type: ignore[attr-defined]
            self._export(trainer, pl_module, best)

    def _export(self, trainer: pl.Trainer, module: pl.LightningModule, best: str | None) -> None:
        if trainer.is_global_zero:
            options = replace(self._options, overwrite=self._options.overwrite or self._exported is not None)
            result = export_monitor(options, network=module if best is None else _with_weights(module, best))
            figures = _figures_of_export(result)
            if self._judged is not None:
                self.evaluation = evaluate(self._judged)
                figures |= _figures_of(self.evaluation)
                if self._report is not None:
                    write_report(self.evaluation, self._report, f"{type(self).__name__} of {type(module).__name__}")
            folders = {"monitor": self._options.out} | ({} if self._report is None else {"report": self._report})
            for logger in trainer.loggers:
                _log(logger, figures, trainer.global_step, folders)
        self._exported = best or ""
        trainer.strategy.barrier("ExportMonitor")


def _words(paths: Paths) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


class _RaisingParser(CommandParser):
    """One that raises where a command would end."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _options_from(
    table: type[Table], given: Mapping[str, object], more: Mapping[str, Any], place: str, words: Sequence[str] = ()
) -> Table:
    """Options of a table from a callback's own arguments, those of a configuration file, and words without a flag.

    Raises:
        UsageError: an option that is none, a value that it cannot have, or one that the callback has an argument for.
    """
    taken = {str(key).replace("_", "-") for key in more} & given.keys()
    if taken:
        raise UsageError(
            f"expected {', '.join(sorted(taken))} beside {place}, got it in there: leave it out of {place}"
        )
    parser = _RaisingParser("", "", "")
    parser.add_options(table)
    options = list(options_of(table))
    own = {key: value for key, value in given.items() if value}
    words = [*words, *mapping_arguments(own, "the callback", options), *mapping_arguments(more, place, options)]
    return options_from(parser.parse(words), table)


def _best_checkpoint(trainer: pl.Trainer) -> str | None:
    """Path of the best checkpoint so far; None where none was written."""
    callback = trainer.checkpoint_callback
    path = getattr(callback, "best_model_path", "")
    return str(path) if path else None


def _with_weights(module: pl.LightningModule, path: str) -> pl.LightningModule:
    """A copy of the module with the weights of a checkpoint.

    Raises:
        CheckpointError: the file cannot be read, or does not fit.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=False)["state_dict"]  # written by this process
        copied = copy.deepcopy(module)
        copied.load_state_dict(state)
    except Exception as error:  # a module may refuse in any way
        raise CheckpointError(
            f"expected the best checkpoint at {path} to load, got {first_line(error)}: keep it there"
        ) from error
    return copied


def _figures_of_export(result: ExportResult) -> dict[str, float]:
    """How far the bundle's graphs are from the network."""
    return {"monitor/parity/score_max_abs": result.parity.score_max_abs}


def _figures_of(evaluation: Evaluation) -> dict[str, float]:
    """Figures of an evaluation, by the names that loggers show."""
    figures = {"monitor/false_alarm_rate": evaluation.false_alarm_rate.value}
    if evaluation.ind_iou is not None:
        figures["monitor/miou"] = evaluation.ind_iou.value
    for shift in evaluation.shifts:
        figures |= {f"monitor/{name}/{shift.name}": value.value for name, value in shift.figures.items()}
    return figures


def _log(logger: Any, figures: Mapping[str, float], step: int, folders: Mapping[str, Path]) -> None:
    """Give a logger the figures, and the folders where it keeps artifacts."""
    logger.log_metrics(dict(figures), step)
    kinds = {
        kind.__name__ for kind in type(logger).__mro__
    }  # of pytorch_lightning or of lightning, which may be missing
    if "MLFlowLogger" in kinds:
        for name, folder in folders.items():
            logger.experiment.log_artifacts(logger.run_id, str(folder), name)
    elif "WandbLogger" in kinds:
        import wandb  # type: ignore[import-not-found]

        for name, folder in folders.items():
            artifact = wandb.Artifact(f"{name}-{logger.experiment.id}", name)
            artifact.add_dir(str(folder))
            logger.experiment.log_artifact(artifact)
