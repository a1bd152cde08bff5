# SPDX-License-Identifier: Apache-2.0
"""Options of detector and thresholds, for an export and for a recalibration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from export.calibration.operating_points import is_rate, operating_point_words, parse_operating_points
from export.detectors.registry import (
    FUSED,
    detector_help,
    detector_names,
    detector_spec,
    detectors_on_ood_frames,
)
from export.errors import UsageError
from export.option_table import MOST_SEED, Words, flag

AUTO = "auto"
UNITS = ("frames", "drives")


_DETECTOR, _THRESHOLDS = "detector", "thresholds"


def detector_choices() -> tuple[str, ...]:
    """Values of ``--detector``."""
    return (FUSED, *detector_names(), AUTO)


def _detector_text() -> str:
    return (
        f"{detector_help()}; {AUTO}: the best of a few, by frames of drives left out, degraded so that they hurt the "
        "segmentation"
    )


@dataclass(frozen=True)
class CalibrationOptions:
    """Options of detector and thresholds; each field's text is what ``--help`` says of its flag.

    Raises:
        UsageError: no rate, or one outside (0, 1).
    """

    detector: str = field(default=FUSED, metadata=flag(_detector_text, _DETECTOR, choices=detector_choices))
    parts: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "parts of the fused detector, such as mahalanobis@entropy or output-score@energy/mean (default: mahalanobis on "
            "the moments of each layer and on the entropies, and the energy)",
            _DETECTOR,
            metavar="DETECTOR@FEATURE",
        ),
    )
    reads: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "features that a detector of one part reads, side by side, such as moments/layer2 (default: the entropies, or "
            "what the detector is made for)",
            _DETECTOR,
            metavar="FEATURE",
        ),
    )
    standardise: bool = field(
        default=False, metadata=flag("bring each number to zero mean and unit variance first", _DETECTOR)
    )
    pca: int | None = field(
        default=None,
        metadata=flag(
            "whitened principal components (default: none, the features as they are)",
            _DETECTOR,
            metavar="N",
            least=1,
            most=100_000,
        ),
    )
    ood_frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            lambda: (
                "out-of-distribution frames: folders or image files; only for "
                + " and ".join(detectors_on_ood_frames())
            ),
            _DETECTOR,
            metavar="PATH",
        ),
    )
    group_by: str = field(
        default="none",
        metadata=flag(
            "rule that assigns frames to drives: folder; prefix, the file name up to its first underscore; none, all one "
            "drive; or a CSV table with the columns frame and drive",
            _THRESHOLDS,
            metavar="RULE",
        ),
    )
    threshold_drives: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "drives that set the thresholds and fit nothing (default: none; every frame sets them, scored by a detector that "
            "was fitted without its drive)",
            _THRESHOLDS,
            metavar="DRIVE",
        ),
    )
    folds: int = field(
        default=5,
        metadata=flag(
            "folds into which whole drives are dealt at random, each scored by a detector fitted without it; contiguous "
            "blocks of a single drive",
            _THRESHOLDS,
            metavar="N",
            least=2,
            most=100_000,
        ),
    )
    rates: Mapping[str, float] = field(
        default_factory=lambda: {"5%": 0.05},
        metadata=flag(
            "share of in-distribution frames that may be flagged; several make several operating points, the first one is "
            "the default: --false-alarm-rate 0.05 strict=0.01 (default: 0.05)",
            _THRESHOLDS,
            name="--false-alarm-rate",
            metavar="[NAME=]RATE",
            words=Words(parse_operating_points, operating_point_words),
        ),
    )
    guarantee: str = field(
        default="frames",
        metadata=flag(
            "frames: the margin for few data counts frames; drives: it counts drives, so that the rate holds for frames of "
            "new drives too, which takes 19 drives for a rate of 5 %",
            _THRESHOLDS,
            choices=UNITS,
        ),
    )
    weigh: str = field(
        default="frames",
        metadata=flag(
            "what counts the same in a rate: frames, the share of all frames that is flagged; drives, the mean over drives "
            "of each one's share, in which a drive of one frame counts as much as one of a thousand",
            _THRESHOLDS,
            choices=UNITS,
        ),
    )
    train_frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "frames that the network was trained on: warn where calibration frames look like them",
            _THRESHOLDS,
            metavar="PATH",
        ),
    )
    seed: int = field(default=0, metadata=flag("seed of the PCA and of the folds", least=0, most=MOST_SEED))

    def __post_init__(self) -> None:
        outside = [f"{name}={rate}" for name, rate in self.rates.items() if not is_rate(rate)]
        if outside or not self.rates:
            raise UsageError(
                f"expected one or more false-alarm rates above 0 and below 1, got {', '.join(outside) or 'none'}: "
                "0.05 is one frame in twenty"
            )

    def check_detector(self) -> None:
        """Refuse options that the detector does not have, and out-of-distribution frames that it lacks or has no use for.

        Raises:
            UsageError: it names them.
        """
        if self.detector not in detector_choices():
            detector_spec(self.detector)
        whole = self.detector in (FUSED, AUTO)
        if whole and (self.pca is not None or self.standardise or self.reads):
            raise UsageError(
                f"expected no --pca, --standardise and --reads with --detector {self.detector}, got one: drop it, or name a "
                "detector of one part"
            )
        if self.parts and self.detector != FUSED:
            raise UsageError(
                f"expected --parts with --detector {FUSED} alone, got it with {self.detector}: name features by --reads"
            )
        if self.needs_ood_frames != bool(self.ood_frames):
            raise UsageError(
                f"expected --ood-frames with --detector {' or '.join(detectors_on_ood_frames())}, and with no other: add or "
                "drop one of them"
            )

    @property
    def needs_ood_frames(self) -> bool:
        """Whether the detector is fitted on out-of-distribution frames as well."""
        return self.detector not in (FUSED, AUTO) and detector_spec(self.detector).needs_ood_frames

    def asdict(self) -> dict[str, object]:
        """JSON-ready form for the manifest."""
        paths = {name: [str(path) for path in getattr(self, name)] for name in ("ood_frames", "train_frames")}
        return asdict(self) | paths | {"rates": dict(self.rates)}
