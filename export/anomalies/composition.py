# SPDX-License-Identifier: Apache-2.0
"""Several degradations at once, and degradations that creep in over a sequence of frames."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from export.anomalies.degrading import SEVERITIES, degrade_with_mask
from export.anomalies.kinds import KINDS, AnomalyGroup, check_kinds
from export.anomalies.patterns import Bytes, Degradation, Floats, LocalChange
from export.errors import UsageError
from export.frames.files import FrameFiles


class DegradedMoment(NamedTuple):
    """One frame of a sequence.

    Attributes:
        frame: ``(H, W, 3)`` uint8 RGB, degraded.
        severity: at this frame.
        mask: ``(H, W)`` bool, as :func:`export.anomalies.degrade_with_mask` gives it.
    """

    frame: Bytes
    severity: float
    mask: NDArray[np.bool_]


def composed(*kinds: str, moment: int = 0) -> Degradation:
    """Make one degradation of several kinds at the same severity, an argument ``kind`` of ``degrade``.

    Args:
        kinds: keys of ``ANOMALIES``, in any order: the picture is degraded in the order in which light takes its way, by
            weather, light, lens, sensor and coding, and by kinds of one group in the order of the table.
        moment: 0 or more; kinds whose pattern does not stay in place, such as noise and rain, draw another one for each.

    Returns:
        Degradation that can be pickled; its mask holds what one of the kinds touches.

    Raises:
        UsageError: no kind, or an unknown one.
    """
    check_kinds(kinds)
    groups, names = get_args(AnomalyGroup), list(KINDS)
    ordered = sorted(kinds, key=lambda kind: (groups.index(KINDS[kind].group), names.index(kind)))
    return partial(_degrade_in_order, tuple(ordered), moment)


def _degrade_in_order(
    kinds: Sequence[str], moment: int, frame: Floats, severity: float, rng: np.random.Generator
) -> LocalChange:
    """Degrade by one kind after another, each with random numbers of its own."""
    untouched = np.ones(frame.shape[:2], dtype=np.float32)
    for kind, child in zip(kinds, rng.spawn(len(kinds)), strict=True):
        own = child if KINDS[kind].lasting else np.random.default_rng([int(child.integers(2**63)), moment])
        given = KINDS[kind].degradation(frame, severity, own)
        frame, cover = (given.frame, given.cover) if isinstance(given, LocalChange) else (given, np.float32(1))
        frame = np.clip(frame, 0, 255).astype(np.float32, copy=False)
        untouched = untouched * (1 - cover)
    return LocalChange(frame, 1 - untouched)


def draw_pair(seed: int, kinds: Sequence[str] = tuple(KINDS)) -> tuple[str, str]:
    """Draw two kinds of different groups.

    Args:
        seed: 0 or more; equal seeds draw equal pairs.
        kinds: to draw from, keys of ``ANOMALIES``.

    Returns:
        Two of the kinds, for ``composed(*pair)``.

    Raises:
        UsageError: kinds of one group alone, or an unknown one.
    """
    check_kinds(kinds)
    pairs = [
        (first, second)
        for number, first in enumerate(kinds)
        for second in kinds[number + 1 :]
        if KINDS[first].group != KINDS[second].group
    ]
    if not pairs:
        raise UsageError(f"expected kinds of two groups or more, got {', '.join(kinds)}: add one of another group")
    return pairs[np.random.default_rng(seed).integers(len(pairs))]


def rising(
    frames: Sequence[Bytes] | FrameFiles,
    kinds: str | Sequence[str],
    seed: int,
    first: float = 0.0,
    last: float = float(SEVERITIES[-1]),
) -> Iterator[DegradedMoment]:
    """Yield a sequence over which a degradation creeps in: mud that grows, dusk that falls.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB, in the order of time.
        kinds: a key of ``ANOMALIES``, or several for all of them at once.
        seed: 0 or more; patterns that stay in place are those of the seed in every frame, others are drawn for each.
        first: severity at the first frame, 0 to 5.
        last: severity at the last frame, 0 to 5; between them it rises evenly with the number of the frame.

    Raises:
        UsageError: as for ``degrade``.
    """
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for moment, severity in enumerate(np.linspace(first, last, len(frames)).tolist()):
        degraded, mask = degrade_with_mask(frames[moment], composed(*names, moment=moment), severity, seed)
        yield DegradedMoment(degraded, severity, mask)
