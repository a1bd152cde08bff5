# SPDX-License-Identifier: Apache-2.0
"""Flags of detector and thresholds, the same for an export and for a calibration of a bundle."""

import argparse
from pathlib import Path

from export.calibration.operating_points import parse_operating_points
from export.calibration.options import AUTO, GUARANTEES, CalibrationOptions
from export.detectors.registry import DETECTORS, densities, detector_help, detectors_on_ood_frames


def add_calibration_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of :class:`CalibrationOptions`."""
    detector = parser.add_argument_group("detector")
    detector.add_argument(
        "--detector",
        choices=(AUTO, *DETECTORS),
        default="kde",
        help=f"{detector_help()}; {AUTO}: the likelier of {' and '.join(densities())}, by in-distribution frames alone "
        "(default: %(default)s)",
    )
    detector.add_argument(
        "--ood-frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help=f"out-of-distribution frames: folders or image files; only for {' and '.join(detectors_on_ood_frames())}",
    )
    detector.add_argument(
        "--standardise", action="store_true", help="bring each entropy to zero mean and unit variance first"
    )
    detector.add_argument(
        "--pca", type=int, metavar="N", help="whitened principal components (default: none, all entropies)"
    )
    thresholds = parser.add_argument_group("thresholds")
    thresholds.add_argument(
        "--false-alarm-rate",
        nargs="+",
        default=["0.05"],
        metavar="[NAME=]RATE",
        help="share of in-distribution frames that may be flagged; several make several operating points, the first one "
        "is the default: --false-alarm-rate 0.05 strict=0.01 (default: 0.05)",
    )
    thresholds.add_argument(
        "--group-by",
        default="none",
        metavar="RULE",
        help="how frames are told apart by drive: folder; prefix, the file name up to its first underscore; none, all one "
        "drive; or a CSV table with the columns frame and drive (default: %(default)s)",
    )
    thresholds.add_argument(
        "--threshold-drives",
        nargs="+",
        default=[],
        metavar="DRIVE",
        help="drives that set the thresholds and fit nothing (default: about a third of the frames, whole drives)",
    )
    thresholds.add_argument(
        "--guarantee",
        choices=GUARANTEES,
        default="frames",
        help="frames: the rate holds for new frames of the same drives; drives: for frames of new drives too, which takes "
        "19 held-out drives for a rate of 5 %% (default: %(default)s)",
    )
    thresholds.add_argument(
        "--train-frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="frames that the network was trained on: warn where calibration frames look like them",
    )


def calibration_options(flags: argparse.Namespace) -> CalibrationOptions:
    """The options that the flags name.

    Raises:
        UsageError: rates that cannot be read.
    """
    return CalibrationOptions(
        detector=flags.detector,
        standardise=flags.standardise,
        pca=flags.pca,
        ood_frames=tuple(flags.ood_frames),
        group_by=flags.group_by,
        threshold_drives=tuple(flags.threshold_drives),
        rates=parse_operating_points(flags.false_alarm_rate),
        guarantee=flags.guarantee,
        train_frames=tuple(flags.train_frames),
        seed=flags.seed,
    )
