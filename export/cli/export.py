# SPDX-License-Identifier: Apache-2.0
"""``python -m export``: turn a checkpoint and calibration frames into a bundle."""

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.cli.config_file import config_arguments
from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.errors import UsageError
from export.option_table import INPUT_AND_OUTPUT, flag, options_of
from export.pipeline.network_options import NETWORK, NetworkOptions
from export.pipeline.options import FEATURE_LAYERS, TAP, ExportOptions
from export.reporter import SILENT

_EPILOG = f"""\
commands on what an export has written, or before one (each has its own --help):
  python -m export calibrate BUNDLE --frames DIR    refit detector and thresholds; needs no torch and no checkpoint
  python -m export evaluate BUNDLE --ind DIR        figures and a report
  python -m export benchmark BUNDLE --root DIR --ind NAME --out DIR   figures on published data sets
  python -m export evidence BUNDLE --out DIR        requirements with what supports them, for a safety case
  python -m export fleet SUMMARIES --out DIR        vehicles and days of a fleet that differ from the others
  python -m export search --ckpt FILE --frames DIR  compare layers, numbers of samples and detectors

examples:
  python -m export --ckpt runs/best.ckpt --frames calibration/ --out monitor/
  python -m export --ckpt runs/best.ckpt --dry-run      # what is found, guessed and missing, and the command to paste
  python -m export --interactive                       # asks for what is missing
  python -m export --ckpt runs/best.ckpt --frames calibration/ --list-layers
  python -m export --ckpt guide.ckpt --frames day1/ day2/ --out monitor/ --input-size 256 512 \\
      --drop-prob 0.5 --block-size 8 --mean 0.287 0.325 0.284 --std 0.187 0.190 0.187

The frames must be in distribution, of one camera, in the order of recording, best from drives that the network was not
trained on: some of them set the thresholds, the others fit the detector. Frames of several drives tell more about
new drives than those of one: tell them apart by --group-by.

An export measures its frames in one process and begins anew after a cut. Thousands of frames take two commands: export on the
frames of a few drives, then calibrate the bundle on all of them, which goes on after a cut and takes several processes:
  python -m export calibrate monitor/ --frames drives/ --save-features features/ --workers 4

{EXIT_CODES}"""

_LIST_LAYERS = "--list-layers"
_DRY_RUN = "--dry-run"
_INTERACTIVE = "--interactive"


@dataclass(frozen=True)
class ConfigFile:
    """Option that names a configuration file; such a file cannot hold this option."""

    config: Path | None = field(
        default=None,
        metadata=flag(
            "file with any of these options, as `mc-samples: 32`; flags take precedence",
            INPUT_AND_OUTPUT,
            metavar="YAML",
        ),
    )


@dataclass(frozen=True)
class LayerListing(NetworkOptions):
    """Options of ``--list-layers``, which prints the layers and exports nothing."""

    frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag("camera frames, of which the size counts", INPUT_AND_OUTPUT, metavar="PATH"),
    )
    list_layers: bool = field(
        default=False,
        metadata=flag(
            "print the layers, which of them draw random numbers or give features, in place of an export; needs no --out",
            NETWORK,
        ),
    )
    tap: tuple[str, ...] = field(default=(), metadata=TAP)
    feature_layers: tuple[str, ...] = field(default=(), metadata=FEATURE_LAYERS)


@dataclass(frozen=True)
class PlanOptions:
    """Options of what becomes of an export that something is missing for."""

    dry_run: bool = field(
        default=False,
        metadata=flag(
            "print what is found, guessed and missing, and the completed command, in place of an export; needs no --frames "
            "and no --out",
            INPUT_AND_OUTPUT,
        ),
    )
    interactive: bool = field(
        default=False,
        metadata=flag("ask on the terminal for what is missing, --ckpt included, then export", INPUT_AND_OUTPUT),
    )


def build_parser(*, list_layers: bool = False, dry_run: bool = False, interactive: bool = False) -> CommandParser:
    """Build the parser; with any of the three arguments the flags are the same and fewer are required."""
    parser = CommandParser(
        "", "Turn a trained segmentation checkpoint into an out-of-distribution monitor in ONNX.", _EPILOG
    )
    parser.add_options(ConfigFile)
    if list_layers:
        parser.add_options(LayerListing)
    if dry_run and not interactive:
        parser.add_options(NetworkOptions)
    parser.add_options(ExportOptions, all_required=not (list_layers or dry_run or interactive))
    parser.add_options(LayerListing, all_required=not interactive)
    parser.add_options(PlanOptions)
    parser.add_options(ConsoleOptions)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        words = [*_words_of_config(typed), *typed]
    except UsageError as error:
        build_parser().error(str(error))
    list_layers, dry_run, interactive = (name in words for name in (_LIST_LAYERS, _DRY_RUN, _INTERACTIVE))
    flags = build_parser(list_layers=list_layers, dry_run=dry_run, interactive=interactive).parse(words)
    console = options_from(flags, ConsoleOptions)

    def work(reporter: ConsoleReporter) -> None:
        if list_layers:
            _list_layers(_with_places(flags))
        elif interactive:
            options = _ask(flags, reporter)
            if dry_run:
                from export.pipeline.plan import plan_export

                reporter.found(*plan_export(options, SILENT).findings)
            else:
                _export(options, reporter, quiet=console.quiet)
        elif dry_run:
            from export.cli.plan_table import print_plan
            from export.pipeline.plan import plan_export

            print_plan(plan_export(_with_places(flags), reporter))
        else:
            _export(options_from(flags, ExportOptions), reporter, quiet=console.quiet)

    return run_command(work, console)


def _words_of_config(arguments: Sequence[str]) -> list[str]:
    """The options of the file behind ``--config``, as words of a command line; none without one."""
    parser = argparse.ArgumentParser(prog="python -m export", add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    path = parser.parse_known_args(arguments)[0].config
    tables = (ExportOptions, LayerListing, PlanOptions, ConsoleOptions)
    return [] if path is None else config_arguments(path, [o for t in tables for o in options_of(t)], arguments)


def _with_places(flags: argparse.Namespace) -> ExportOptions:
    """Options of an export from what was typed, where frames and destination need not be."""
    typed = {"frames": [], "out": _new_folder()} | vars(flags)
    return options_from(argparse.Namespace(**typed), ExportOptions)


def _ask(flags: argparse.Namespace, reporter: ConsoleReporter) -> ExportOptions:
    """Options of an export, after the user has been asked for what is missing, and about what is guessed."""
    from export.cli.interactive import ask_for_checkpoint, check_terminal, complete_options

    check_terminal()
    if not hasattr(flags, "ckpt"):
        flags.ckpt = ask_for_checkpoint()
    return complete_options(_with_places(flags), reporter, asks_out=not hasattr(flags, "out"))


def _new_folder() -> Path:
    """A bundle's folder that is not there yet, in the working directory."""
    names = itertools.chain(["monitor"], (f"monitor-{number}" for number in itertools.count(2)))
    return next(path for path in map(Path, names) if not path.exists())


def _list_layers(options: ExportOptions) -> None:
    from export.cli.layer_table import black_input, layer_table, listed_input, observed_layers  # --help needs no torch
    from export.pipeline.listed_tap import listed_taps
    from export.pipeline.load_network import load_network
    from export.pipeline.settle_downloads import settle_downloads_at
    from export.sampling.taps import list_layers

    checkpoint = load_network(options)
    found = listed_input(options, checkpoint)
    example = black_input(checkpoint.network, found.shape)
    checkpoint = settle_downloads_at(found.shape, checkpoint, SILENT)
    taps = listed_taps(options, checkpoint)
    observed = observed_layers(checkpoint.network, example, [*taps], options.feature_layers)
    of_input = (found.size.finding, *found.padding.findings)
    print(layer_table(list_layers(checkpoint.network, example), taps, observed, of_input))


def _export(options: ExportOptions, reporter: ConsoleReporter, *, quiet: bool) -> None:
    from export.cli.bundle_table import digest_text, print_exported
    from export.pipeline.export_monitor import export_monitor

    result = export_monitor(options, reporter)
    if not quiet:
        print_exported(options.out, result.manifest)
        print(digest_text(result.manifest))
        print(next_command("python", "-m", "lsood_runtime", "score", options.out, options.frames[0]))
