# SPDX-License-Identifier: Apache-2.0
"""Statistics of degraded frames beside those of photographs: slope of the spectrum, saturation, tone and colour.

A kind whose frames differ from every photograph in one of these numbers teaches a monitor that number, not the weather.
"""

import argparse
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.anomalies import KINDS, Bytes, degrade
from export.frames.files import FrameFiles

COLUMNS = ("slope", "white %", "black %", "mean", "spread", "R/G", "B/G")
_LOW, _HIGH = 0.02, 0.4
"""Frequencies between which the slope is fitted, cycles a pixel."""
_BANDS = 13


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description="Print statistics of degraded frames, medians over frames, beside those of the frames as they are.",
        epilog="Example: python examples/degradation_statistics.py --frames val/ --every 7 --photographs dusk/",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--frames", type=Path, nargs="+", required=True, help="clean frames")
    parser.add_argument(
        "--photographs", type=Path, nargs="+", default=[], help="folders of real photographs, a row each"
    )
    parser.add_argument("--every", type=int, default=1, help="take every N-th frame")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--severities", type=int, nargs="+", default=[3, 5], metavar="S")
    options = parser.parse_args(arguments)
    clean = _taken(FrameFiles(options.frames), options.every)
    rows = np.array([statistics(frame) for frame in clean])
    print("| frames | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for share, name in ((2, "lowest 2 %"), (50, "median"), (98, "highest 2 %")):
        print(line(f"clean, {name}", np.percentile(rows, share, axis=0)))
    for folder in options.photographs:
        photographs = _taken(FrameFiles([folder]), options.every)
        print(line(folder.name, medians(statistics(frame) for frame in photographs)))
    for kind in options.kinds:
        for severity in options.severities:
            degraded = (degrade(frame, kind, severity, seed) for seed, frame in enumerate(clean))
            print(line(f"`{kind}` {severity}", medians(map(statistics, degraded))))


def _taken(files: FrameFiles, every: int) -> list[Bytes]:
    return [files[index] for index in range(0, len(files), every)]


def statistics(frame: Bytes) -> tuple[float, ...]:
    """Numbers of one frame, in the order of ``COLUMNS``.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.

    Returns:
        Exponent of the power spectrum of the luma over frequency; shares of pixels with all channels at 250 or more and at
        5 or less, per cent; mean of all values and standard deviation of the luma; ratios of the channels' means.
    """
    values = frame.astype(float)
    red, green, blue = values.mean(axis=(0, 1))
    luma = values @ (0.299, 0.587, 0.114)
    return (
        spectrum_slope(luma),
        100 * float((frame.min(axis=2) >= 250).mean()),
        100 * float((frame.max(axis=2) <= 5).mean()),
        float(values.mean()),
        float(luma.std()),
        red / max(green, 1),
        blue / max(green, 1),
    )


def spectrum_slope(luma: NDArray[np.floating]) -> float:
    """Exponent of the power over frequency: -2 for a picture of edges, about -2.5 for photographs, 0 for white noise."""
    height, width = luma.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    edges = np.geomspace(_LOW, _HIGH, _BANDS + 1)
    points: list[tuple[float, float]] = []
    for low, high in pairwise(edges):
        ring = power[(frequency >= low) & (frequency < high)]
        if ring.size:  # a small frame has no frequency in some rings
            points.append((np.log(low * high) / 2, np.log(ring.mean() + 1e-3)))
    x, y = np.transpose(points)
    return float(np.polyfit(x, y, 1)[0])


def medians(rows: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    """Median of each column."""
    return np.median(list(rows), axis=0)


def line(name: str, values: Iterable[float]) -> str:
    """One row of the table."""
    return f"| {name} | " + " | ".join(f"{value:.2f}" if abs(value) < 20 else f"{value:.0f}" for value in values) + " |"


if __name__ == "__main__":
    main()
