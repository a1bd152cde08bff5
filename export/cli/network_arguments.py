# SPDX-License-Identifier: Apache-2.0
"""Flags that say how a network is built, fed and sampled: the same for an export and for a search before it."""

import argparse
import json
from typing import Any

import yaml

from export.pipeline.options import CHANNELS, RESIZES


def add_network_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags of the network; their group comes back, for flags of the command's own."""
    network = parser.add_argument_group("network (default: as the checkpoint says)")
    network.add_argument(
        "--model",
        metavar="MODULE:CLASS",
        help="the network's class, or a function that returns one, as package.module:Class; the working directory is "
        "searched too (default: the DeepLabV3PlusModule of this package)",
    )
    network.add_argument(
        "--model-arg",
        action="append",
        type=_model_arg,
        default=[],
        metavar="KEY=VALUE",
        help="constructor argument, in YAML; wins over the checkpoint's hyper-parameter; may be repeated",
    )
    network.add_argument(
        "--trust-checkpoint", action="store_true", help="unpickle whatever --ckpt holds, which may run any code"
    )
    network.add_argument(
        "--input-size", type=int, nargs=2, metavar=("H", "W"), help="rows and columns the network sees"
    )
    network.add_argument(
        "--crop",
        type=int,
        nargs=4,
        metavar=("TOP", "LEFT", "H", "W"),
        help="the part of a frame that the network sees, in pixels, before the resize (default: all of it)",
    )
    network.add_argument(
        "--resize",
        choices=RESIZES,
        default="bilinear",
        help="bilinear with antialiasing, in the graph; refuse: an error where sizes differ (default: %(default)s)",
    )
    network.add_argument(
        "--channels",
        choices=CHANNELS,
        default="rgb",
        help="order in which the vehicle hands over a frame; the network sees RGB (default: %(default)s)",
    )
    network.add_argument("--mean", type=float, nargs=3, metavar=("R", "G", "B"), help="mean of the frames, in [0, 1]")
    network.add_argument("--std", type=float, nargs=3, metavar=("R", "G", "B"), help="standard deviation of the frames")
    return network


def add_sampling_arguments(sampling: argparse._ArgumentGroup) -> None:
    """Add the constants of masks and entropy."""
    sampling.add_argument(
        "--neighbors", type=int, default=5, metavar="K", help="k of the entropy, below S (default: %(default)s)"
    )
    sampling.add_argument("--drop-prob", type=float, metavar="P", help="DropBlock's drop probability")
    sampling.add_argument("--block-size", type=int, metavar="B", help="DropBlock's block size, in cells of the tap")
    sampling.add_argument("--force", action="store_true", help="accept constants under which many masks drop nothing")


def network_options(flags: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``ExportOptions`` that these flags give."""
    return {
        "ckpt": flags.ckpt,
        "model": flags.model,
        "model_args": dict(flags.model_arg),
        "trust_checkpoint": flags.trust_checkpoint,
        "input_size": flags.input_size and tuple(flags.input_size),
        "channels": flags.channels,
        "crop": flags.crop and tuple(flags.crop),
        "resize": flags.resize,
        "mean": flags.mean and tuple(flags.mean),
        "std": flags.std and tuple(flags.std),
        "neighbors": flags.neighbors,
        "drop_prob": flags.drop_prob,
        "block_size": flags.block_size,
        "force": flags.force,
        "seed": flags.seed,
    }


def _model_arg(text: str) -> tuple[str, Any]:
    """``key=value`` with a value in YAML that JSON can say too, since the manifest keeps it."""
    key, equals, value = text.partition("=")
    try:
        parsed = yaml.safe_load(value)
        json.dumps(parsed, allow_nan=False)
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"expected a number, string, list or mapping, got {value!r}") from error
    if not (key.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    return key, parsed
