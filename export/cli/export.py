# SPDX-License-Identifier: Apache-2.0
"""``python -m export``: from a checkpoint and calibration frames to a bundle."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from export.cli.calibration_arguments import add_calibration_arguments, calibration_options
from export.cli.config_file import config_arguments
from export.cli.console import EXIT_CODES, ConsoleReporter, add_verbosity_arguments, run_command
from export.cli.network_arguments import add_network_arguments, add_sampling_arguments, network_options
from export.cli.next_command import next_command
from export.errors import UsageError
from export.graphs.segmentation_kinds import SEGMENTATION_KINDS
from export.pipeline.capabilities import format_help, format_names
from export.pipeline.options import ExportOptions
from export.precision.options import PrecisionOptions
from export.sampling.mask_mode import Mode
from lsood_runtime.offline import PRECISIONS

_PRECISION = PrecisionOptions()
_EPILOG = f"""\
commands on what an export has written, or before one (each has its own --help):
  python -m export calibrate BUNDLE --frames DIR    refit detector and thresholds; needs no torch and no checkpoint
  python -m export evaluate BUNDLE --ind DIR        figures and a report
  python -m export search --ckpt FILE --frames DIR  which layer, how many samples, which detector

examples:
  python -m export --ckpt runs/best.ckpt --frames calibration/ --out monitor/
  python -m export --ckpt guide.ckpt --frames day1/ day2/ --out monitor/ --input-size 256 512 \\
      --drop-prob 0.5 --block-size 8 --mean 0.287 0.325 0.284 --std 0.187 0.190 0.187

The frames must be ones the network should call familiar, of one camera, in the order of recording, best from drives that
the network was not trained on: some of them set the thresholds, the others fit the detector. Frames of several drives say
more than one drive's: tell them apart by --group-by.

{EXIT_CODES}"""


def build_parser() -> argparse.ArgumentParser:
    """The flags, each with its default and its unit."""
    parser = argparse.ArgumentParser(
        prog="python -m export",
        allow_abbrev=False,
        description="Turn a trained segmentation checkpoint into an out-of-distribution monitor in ONNX.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main = parser.add_argument_group("what goes in and out")
    main.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="file with any of these options, as `mc-samples: 32`; flags win over it",
    )
    main.add_argument(
        "--ckpt",
        type=Path,
        required=True,
        metavar="FILE",
        help="PyTorch-Lightning checkpoint, or with --model a state dict",
    )
    main.add_argument(
        "--frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="in-distribution frames: folders or image files, in the order of recording",
    )
    main.add_argument("--out", type=Path, metavar="DIR", help="the bundle's folder")
    main.add_argument("--overwrite", action="store_true", help="replace the bundle at --out once the new one is whole")
    network = add_network_arguments(parser)
    network.add_argument(
        "--list-layers", action="store_true", help="print the layers with what they draw, and end; needs no --out"
    )
    network.add_argument("--segmentation", choices=SEGMENTATION_KINDS, default="classes", help="default: %(default)s")
    sampling = parser.add_argument_group("sampling")
    sampling.add_argument(
        "--tap",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="layers to sample, concatenated (default: the one DropBlock layer)",
    )
    sampling.add_argument(
        "--mc-samples", type=int, default=16, metavar="S", help="samples a frame (default: %(default)s)"
    )
    sampling.add_argument(
        "--masks",
        choices=get_args(Mode),
        default="fixed",
        help="fixed: drawn now, the same for every frame; fresh: drawn for each frame in the graph; input: computed from "
        "noise that is an input of the graph (default: %(default)s)",
    )
    add_sampling_arguments(sampling)
    sampling.add_argument("--seed", type=int, default=0, help="of the masks and the PCA (default: %(default)s)")
    add_calibration_arguments(parser)
    forms = parser.add_argument_group("more forms of the monitor, in the same folder")
    forms.add_argument(
        "--fuse",
        action="store_true",
        help="monitor.onnx: frame to score and segmentation in one graph, for ONNX Runtime in any language",
    )
    forms.add_argument(
        "--format",
        choices=format_names(),
        default="onnx",
        help=f"{format_help()} (default: %(default)s)",
    )
    precision = parser.add_argument_group("precision of the network (the detector keeps float64)")
    precision.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=_PRECISION.kind,
        help="fp16 for CUDA; int8 for CPUs, best with VNNI; int8-tensorrt for TensorRT; calibrated on --frames and "
        "compared with float32 on held-out frames, as they are and mildly spoilt (default: %(default)s)",
    )
    for flag, limit, what in (
        ("--max-flips", _PRECISION.max_flips, "largest share of these frames that may be decided otherwise"),
        ("--max-auroc-loss", _PRECISION.max_auroc_loss, "AUROC that may be lost on the spoilt ones"),
        ("--max-pixel-changes", _PRECISION.max_pixel_changes, "largest share of pixels that may change their class"),
    ):
        precision.add_argument(
            flag,
            type=float,
            default=limit,
            metavar="X",
            help=f"{what}; layers that hurt stay in float (default: {limit:g})",
        )
    add_verbosity_arguments(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code comes back."""
    parser = build_parser()
    try:
        flags = parser.parse_args(_with_config(parser, sys.argv[1:] if arguments is None else arguments))
    except UsageError as error:
        parser.error(str(error))
    missing = [flag for flag, value in (("--frames", flags.frames), ("--out", flags.out)) if not value]
    if missing and not flags.list_layers:
        parser.error(f"the following arguments are required: {', '.join(missing)}")

    def work(reporter: ConsoleReporter) -> None:
        if flags.list_layers:
            from export.checkpoint.load import load_checkpoint  # here and below: --help does without torch
            from export.cli.layer_table import layer_table, network_layers

            checkpoint = load_checkpoint(flags.ckpt, flags.model, dict(flags.model_arg), trust=flags.trust_checkpoint)
            print(layer_table(network_layers(checkpoint, flags.input_size, flags.frames)))
        else:
            _export(flags, reporter)

    return run_command(work, verbose=flags.verbose, quiet=flags.quiet)


def _with_config(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """The command line with the options of its ``--config`` in front, where it has one."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    path = first.parse_known_args(arguments)[0].config
    return [*([] if path is None else config_arguments(path, parser, arguments)), *arguments]


def _export(flags: argparse.Namespace, reporter: ConsoleReporter) -> None:
    from export.cli.bundle_table import print_exported
    from export.pipeline.export_monitor import export_monitor

    options = ExportOptions(
        frames=tuple(flags.frames),
        out=flags.out,
        tap=tuple(flags.tap),
        mc_samples=flags.mc_samples,
        masks=flags.masks,
        calibration=calibration_options(flags),
        segmentation=flags.segmentation,
        fuse=flags.fuse,
        format=flags.format,
        precision=PrecisionOptions(flags.precision, flags.max_flips, flags.max_auroc_loss, flags.max_pixel_changes),
        overwrite=flags.overwrite,
        **network_options(flags),
    )
    result = export_monitor(options, reporter)
    if not flags.quiet:
        print_exported(options.out, result.manifest)
        print(next_command("python", "-m", "lsood_runtime", "score", options.out, options.frames[0]))
