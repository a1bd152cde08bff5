# SPDX-License-Identifier: Apache-2.0
"""What a source beside the flags says of a network's input: normalisation, size, and order of channels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

_SAME = 2e-3
"""Constants that differ by less come from rounding: half a grey level."""


@dataclass(frozen=True)
class StatedNormalisation:
    """Mean and standard deviation by one source.

    Attributes:
        source: where they stand, as words behind "by".
        mean: of pixels in [0, 1], one number for each channel or one for all; None where it is not stated.
        std: likewise.
        certain: False where the source states them of weights that need not be these.
        remark: what else the source has and does not use, in words behind a semicolon; empty where nothing.
    """

    source: str
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    certain: bool = True
    remark: str = field(default="", compare=False)

    @property
    def complete(self) -> bool:
        """Whether both are stated."""
        return self.mean is not None and self.std is not None

    def fits(self, channels: int) -> bool:
        """Whether what is stated can be that of so many channels."""
        return all(values is None or len(values) in (1, channels) for values in (self.mean, self.std))

    def differs(self, mean: Sequence[float], std: Sequence[float]) -> bool:
        """Whether the constants stated here are others than these."""
        pairs = ((self.mean, mean), (self.std, std))
        return any(
            abs(a - b) > _SAME
            for own, other in pairs
            if own
            for a, b in zip(spread(own, len(other)), other, strict=True)
        )


@dataclass(frozen=True)
class StatedSize:
    """Size of a network's input by one source.

    Attributes:
        source: where it stands, as words behind "by".
        height: rows.
        width: columns.
    """

    source: str
    height: int
    width: int


@dataclass(frozen=True)
class StatedOrder:
    """Order of a network's channels by one source.

    Attributes:
        source: where it stands, as words behind "by".
        order: ``rgb`` or ``bgr``.
    """

    source: str
    order: str


def spread(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """One number for each channel, where one may stand for all."""
    return tuple(values) * channels if len(values) == 1 else tuple(values)


def words(values: Sequence[float]) -> str:
    """Numbers as flags take them."""
    return " ".join(f"{value:.6g}" for value in values)
