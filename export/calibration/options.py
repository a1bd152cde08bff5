# SPDX-License-Identifier: Apache-2.0
"""What a user may ask of detector and thresholds, when a bundle is exported and when it is calibrated again."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.calibration.conformal import parse_operating_points
from export.detectors.fit import DETECTORS

AUTO = "auto"
GUARANTEES = ("frames", "drives")


@dataclass(frozen=True)
class CalibrationOptions:
    """What a user may ask of detector and thresholds.

    Attributes:
        detector: one of ``DETECTORS``, or ``auto`` for the likelier density of the in-distribution frames.
        standardise: bring each entropy to zero mean and unit variance first.
        pca: whitened principal components that the detector sees; None for the entropies themselves.
        ood_frames: out-of-distribution frames, folders and files: for ``kde-classifier`` alone.
        group_by: how frames are told apart by drive: ``none``, ``folder``, ``prefix`` or a CSV table.
        threshold_drives: drives that set the thresholds; empty leaves the choice to the program.
        rates: target false-alarm rate of each operating point; the first one is the default.
        guarantee: ``frames`` of the known drives, or ``drives``: frames of new ones too.
        train_frames: frames that the network was trained on, to warn of calibration frames that look like them.
        seed: of the PCA.
    """

    detector: str = "kde"
    standardise: bool = False
    pca: int | None = None
    ood_frames: tuple[Path, ...] = ()
    group_by: str = "none"
    threshold_drives: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=lambda: {"5%": 0.05})
    guarantee: str = "frames"
    train_frames: tuple[Path, ...] = ()
    seed: int = 0

    def asdict(self) -> dict[str, Any]:
        """JSON-ready form for the manifest."""
        paths = {name: [str(path) for path in getattr(self, name)] for name in ("ood_frames", "train_frames")}
        return asdict(self) | paths | {"rates": dict(self.rates)}


def add_calibration_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of :class:`CalibrationOptions`."""
    detector = parser.add_argument_group("detector")
    detector.add_argument(
        "--detector",
        choices=(AUTO, *DETECTORS),
        default="kde",
        help="kde: kernel density; kde-classifier: one density a class, needs --ood-frames; mahalanobis: Gaussian with a "
        "shrunk covariance; knn: distance to the 5th nearest frame; auto: the likelier of the two densities, by "
        "in-distribution frames alone (default: %(default)s)",
    )
    detector.add_argument(
        "--ood-frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="out-of-distribution frames: folders or image files; only for kde-classifier",
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
