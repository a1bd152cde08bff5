# SPDX-License-Identifier: Apache-2.0
"""Refuse mean and deviation that count pixels from 0 to 255 where [0, 1] is meant, by the range that reaches the network."""

from collections.abc import Sequence

from export.errors import UsageError

_FARTHEST = 1.0
"""Greatest distance of the range from zero, in its own widths: ``mean`` from -1 to 2. A mean of frames lies in [0, 1]."""

_NARROWEST = 1 / 16
"""Least width of the range, which is 1 / ``std``: half way, as factors go, between 1 and 1 / 255."""


def check_scale(mean: Sequence[float], std: Sequence[float]) -> None:
    """Refuse constants under which black to white reaches the network as a narrow range, or as one far from zero.

    A pixel of ``x`` in [0, 1] reaches it as ``(x - mean) / std``. Legitimate are [0, 1] itself, [-1, 1], the usual mean and
    deviation of frames, raw pixels from 0 to 255 (``std`` 1/255), those less a mean, and a deviation above 1 that leaves the
    network a range to see. What the frames show is not looked at: dark ones would be judged otherwise than bright ones.
    What is told to give is judged number by number: a mean above 1, and a deviation above 1 beside it or in a narrow range.

    Args:
        mean: of each channel.
        std: of each channel, above zero.

    Raises:
        UsageError: the message has the divided values, ready to paste.
    """
    ranges = [(-m / s, (1 - m) / s) for m, s in zip(mean, std, strict=True)]
    far = any(max(low, -high) > _FARTHEST * (high - low) for low, high in ranges)
    narrow = any(high - low < _NARROWEST for low, high in ranges)
    if not far and not narrow:
        return
    right_mean = [m / 255 if abs(m) > 1 else m for m in mean]
    right_std = [s / 255 if s >= 1 and (narrow or abs(m) > 1) else s for m, s in zip(mean, std, strict=True)]
    (low, high) = max(ranges, key=lambda ends: abs(ends[0]))
    raise UsageError(
        f"expected mean and standard deviation of pixels in [0, 1], got {_words(mean)} and {_words(std)}: black to white "
        f"would reach the network as {low:.4g} to {high:.4g}; if they count pixels from 0 to 255, give --mean "
        f"{_words(right_mean)} --std {_words(right_std)}, if it was trained on just that, --force",
        words=("--mean", *_words(right_mean).split(), "--std", *_words(right_std).split()),
    )


def _words(values: Sequence[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values)
