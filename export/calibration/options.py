# SPDX-License-Identifier: Apache-2.0
"""Options of detector and thresholds, for an export and for a recalibration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.errors import UsageError

AUTO = "auto"
GUARANTEES = ("frames", "drives")


def is_rate(value: float) -> bool:
    """Whether a number can be a target false-alarm rate: above 0 and below 1."""
    return 0 < value < 1


@dataclass(frozen=True)
class CalibrationOptions:
    """Options of detector and thresholds.

    Attributes:
        detector: a name in ``export.detectors.registry.DETECTORS``, or ``auto`` for the density under which the
            in-distribution frames are likelier.
        standardise: bring each entropy to zero mean and unit variance first.
        pca: whitened principal components that the detector sees; None for the entropies themselves.
        ood_frames: out-of-distribution frames, folders and files: for a detector that needs them, and no other.
        group_by: how frames are told apart by drive: ``none``, ``folder``, ``prefix`` or a CSV table.
        threshold_drives: drives that set the thresholds; empty leaves the choice to the program.
        rates: target false-alarm rate of each operating point, in (0, 1); the first one is the default.
        guarantee: ``frames`` of the known drives, or ``drives``: frames of new ones too.
        train_frames: frames that the network was trained on, to warn of calibration frames that look like them.
        seed: of the PCA.

    Raises:
        UsageError: no rate, or one outside (0, 1).
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

    def __post_init__(self) -> None:
        outside = [f"{name}={rate}" for name, rate in self.rates.items() if not is_rate(rate)]
        if outside or not self.rates:
            raise UsageError(
                f"expected one or more false-alarm rates above 0 and below 1, got {', '.join(outside) or 'none'}: "
                "0.05 is one frame in twenty"
            )

    def asdict(self) -> dict[str, Any]:
        """JSON-ready form for the manifest."""
        paths = {name: [str(path) for path in getattr(self, name)] for name in ("ood_frames", "train_frames")}
        return asdict(self) | paths | {"rates": dict(self.rates)}
