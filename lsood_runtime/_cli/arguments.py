# SPDX-License-Identifier: Apache-2.0
"""Arguments that several commands share, and the types of their values."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from lsood_runtime._bundle.digests import is_sha256
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.records import PixelsRecord
from lsood_runtime._exceptions import BundleError
from lsood_runtime._inference.loading import MOST_THREADS
from lsood_runtime._media.encodings import named_encodings
from lsood_runtime._media.pixel_rules import YUV_SPACES, PixelRules, in_flags
from lsood_runtime._media.sources import SourceReader, left_out
from lsood_runtime._stream.policy_text import Alarm, parse_alarm
from lsood_runtime._unknown_objects import REGIONS, WHOLE_FRAME

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What ``add_subparsers`` returns; argparse has no public name for it."""

_MOST = 1_000_000_000

BUNDLE_HELP = "the folder that `python -m export` wrote, or a .zip or .tar of it"
SOURCES = "images, videos, folders of them, patterns, MCAP files, ROS bags"


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    """Add a command that ``run`` carries out; ``epilog`` keeps its line breaks."""
    parser = commands.add_parser(
        name, help=summary, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument of a bundle that is read."""
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add what the bundle must be."""
    add_expected_digest(parser)
    parser.add_argument(
        "--public-key",
        type=Path,
        metavar="PEM",
        help="refuse a bundle that was not signed with this key (default: any)",
    )


def add_expected_digest(parser: argparse.ArgumentParser) -> None:
    """Add the digest that the manifest must have."""
    parser.add_argument(
        "--expected-sha256",
        type=sha256_digits,
        metavar="HEX",
        help="refuse a bundle whose manifest has another sha256, as `lsood inspect` prints it (default: any)",
    )


def add_sources(parser: argparse.ArgumentParser, help_text: str = SOURCES) -> None:
    """Add the sources of frames, and how they are read."""
    parser.add_argument("files", nargs="+", metavar="FILE", help=help_text)
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="NAME",
        help="of a recording, or a pattern such as '/camera/*'; repeatable (default: all colour images)",
    )
    parser.add_argument(
        "--fps",
        type=positive_number,
        default=10.0,
        metavar="RATE",
        help="images a second, for stamps (default: 10)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first frame or source that cannot be read (default: it is invalid, and the run goes on)",
    )


def add_pixels(parser: argparse.ArgumentParser) -> None:
    """Add what images do not say themselves; :func:`pixel_rules` collects it."""
    group = parser.add_argument_group(
        "images that do not say what their values mean",
        "Without a flag they are read as at calibration, which the bundle records and `lsood inspect` prints.",
    )
    group.add_argument(
        "--grey", action="store_true", help="read grey images as colour ones (default: they are invalid)"
    )
    group.add_argument(
        "--bits",
        type=int,
        choices=range(9, 17),
        metavar="N",
        help="of values that are stored in 16 bits, 9 to 16: 12 for a sensor of 12 bits (default: they are invalid)",
    )
    group.add_argument(
        "--encoding",
        type=str.lower,
        choices=named_encodings(),
        action="append",
        default=[],
        metavar="NAME",
        help="of messages that name no channels, such as bgr8 for 8UC3; repeatable (default: they are invalid)",
    )
    group.add_argument(
        "--yuv",
        choices=YUV_SPACES,
        help="colour space and range of YUV messages (default: bt601, and what cannot have its range is invalid)",
    )


def pixel_rules(options: argparse.Namespace, recorded: PixelsRecord) -> PixelRules:
    """What the arguments of :func:`add_pixels` state and, where they state nothing, what was stated at calibration.

    Raises:
        BundleError: the bundle states what this version does not know.
    """
    return completed_rules(stated_rules(options), recorded)


def stated_rules(options: argparse.Namespace) -> PixelRules:
    """What the arguments of :func:`add_pixels` state."""
    return PixelRules(tuple(options.encoding), options.grey, options.bits, options.yuv)


def completed_rules(stated: PixelRules, recorded: PixelsRecord) -> PixelRules:
    """What is stated and, where nothing is, what was stated at calibration.

    Raises:
        BundleError: the bundle states what this version does not know.
    """
    try:
        return PixelRules(
            encodings=(*stated.encodings, *recorded.encodings),
            grey=stated.grey or recorded.grey,
            bits=stated.bits or recorded.bits,
            yuv=stated.yuv or recorded.yuv,
        )
    except ValueError as error:
        raise BundleError(f"the manifest's field pixels cannot be used: {error}") from error


def read_sources(
    options: argparse.Namespace,
    sources: Sequence[str],
    manifest: Manifest,
    on_wait: Callable[[], None] = lambda: None,
) -> SourceReader:
    """Read sources as :func:`add_sources` and :func:`add_pixels` describe, for a monitor of this manifest.

    ``on_wait`` is called about once a second while a camera of this machine sends nothing.

    Raises:
        BundleError: the bundle states what this version does not know of images.
    """
    contract = manifest.input
    reader = SourceReader(
        sources,
        contract.channels,
        options.fps,
        options.topic,
        rules=pixel_rules(options, manifest.pixels),
        size=(contract.frame_height, contract.frame_width),
        strict=options.strict,
        on_wait=on_wait,
        word=in_flags,
    )
    reader.notes += left_out(options.files)
    return reader


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the files and pictures to write beside the terminal."""
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="verdicts as .csv, .jsonl, .parquet or .mcap (stamps kept, topic /lsood/CAMERA; of a bundle with an anomaly map "
        "the frame under it and boxes of unknown objects too, for Foxglove); repeatable",
    )
    parser.add_argument(
        "--parts", action="store_true", help="with each part's share of the score, where the detector has parts"
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="with the numbers by which `lsood select` compares frames, in the .csv, .jsonl and .parquet files of --out",
    )
    parser.add_argument(
        "--timeline", type=Path, metavar="PICTURE", help="scores over time, with threshold and alarms, a panel a camera"
    )
    parser.add_argument(
        "--thumbnails",
        type=Path,
        metavar="PICTURE",
        help="the frames with the highest scores, those of a camera a second apart where the drive is long enough",
    )
    parser.add_argument(
        "--highest",
        type=positive_count,
        default=12,
        metavar="K",
        help="number of thumbnails (default: 12)",
    )
    parser.add_argument(
        "--maps",
        type=Path,
        metavar="DIR",
        help="a new folder for the anomaly map of each frame: as .png over the frame, as .npy without loss, and its unknown "
        "objects as .json; for bundles that were exported with --answers map",
    )
    parser.add_argument("--rerun", type=Path, metavar="FILE.rrd", help="a recording for the rerun viewer")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the number of threads."""
    parser.add_argument(
        "--threads", type=count_up_to(MOST_THREADS), metavar="N", help="CPU threads (default: one a core)"
    )


def add_decision(parser: argparse.ArgumentParser) -> None:
    """Add the operating point, the smallest quality, where objects are looked for, and the deadline."""
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="threshold to apply, as `lsood inspect` names it (default: the bundle's)",
    )
    parser.add_argument(
        "--min-quality",
        type=share,
        metavar="Q",
        help="a frame is of low quality where its expected mIoU or agreement may be below Q, or is not known",
    )
    parser.add_argument(
        "--object-region",
        choices=REGIONS,
        default=WHOLE_FRAME,
        help="where unknown objects are told: anywhere (frame, the default), or where they are segmented as a class of the "
        "bundle's --road-class, or touch it (road)",
    )
    parser.add_argument("--deadline-ms", type=positive_number, metavar="MS", help="a verdict that takes longer is late")


def alarm_rule(text: str) -> Alarm:
    """Parse an alarm policy, or a rate of false alarms; argparse prints what is wrong with it."""
    try:
        return parse_alarm(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def sha256_digits(text: str) -> str:
    """Parse a SHA-256 digest in hex."""
    if not is_sha256(text.lower()):
        raise argparse.ArgumentTypeError(f"expected 64 hexadecimal digits, got {text!r}")
    return text.lower()


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def share(text: str) -> float:
    """Parse a number above 0 and at most 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got {text!r}")
    return number


def seconds_or_never(text: str) -> float | None:
    """Parse a time above 0 s; ``never`` is None."""
    try:
        return None if text == "never" else positive_number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, or never, got {text!r}") from error


def tile_share(text: str) -> float:
    """Parse a share of a picture's tiles, from 0 to 0.5."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"expected a share of tiles from 0 to 0.5, got {text!r}")
    return share


def count_up_to(most: int) -> Callable[[str], int]:
    """A parser of integers from 1 to ``most``."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST)) and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {most}, got {text!r}")
        return int(text)

    return parse


positive_count = count_up_to(_MOST)
"""Parses an integer of at least 1."""
