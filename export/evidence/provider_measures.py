# SPDX-License-Identifier: Apache-2.0
"""Figures of requirements on the target machine, from the certificate of its provider."""

from export.evidence.claims import EvidenceFigure, Unit
from export.evidence.pack_names import CERTIFICATE
from export.evidence.sources import EvidenceSources


def latency_ratio(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Time of a verdict over that of the bare network, in turns."""
    place = "/latency/provider_over_network"
    if sources.at(CERTIFICATE, place) is None:
        raise sources.absent(CERTIFICATE)
    value, low, high = (sources.number(CERTIFICATE, f"{place}/{name}") for name in ("median", "low", "high"))
    rounds = sources.count(CERTIFICATE, "/latency/rounds")
    return [
        EvidenceFigure(
            "time of a verdict over the bare network's, median",
            CERTIFICATE,
            place,
            value,
            low,
            high,
            rounds,
            unit="number",
        )
    ]


def slowest_frames(sources: EvidenceSources) -> list[EvidenceFigure]:
    """The 99th percentile of the times of a verdict."""
    return _one(sources, "time of a verdict, 99th percentile", "/latency/provider_ms/p99", "/latency/rounds", "ms")


def failed_checks(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many checks of the certificate do not hold."""
    failures = sources.at(CERTIFICATE, "/failures")
    if not isinstance(failures, list):
        raise sources.absent(CERTIFICATE)
    return [
        EvidenceFigure(
            "checks of the certificate that do not hold", CERTIFICATE, "/failures", len(failures), unit="number"
        )
    ]


def golden_score(sources: EvidenceSources) -> list[EvidenceFigure]:
    """The largest error of a golden frame's score, as a share of its tolerance."""
    tolerance = sources.number(CERTIFICATE, "/golden/score/tolerance")
    if tolerance is None:
        raise sources.absent(CERTIFICATE)
    largest = sources.number(CERTIFICATE, "/golden/score/largest")
    share = None if largest is None or not tolerance else largest / tolerance
    name, frames = "largest error of a golden score, of the tolerance", sources.count(CERTIFICATE, "/golden/frames")
    return [EvidenceFigure(name, CERTIFICATE, "/golden/score/largest", share, frames=frames)]


def flipped_decisions(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the frames in another state than on the CPU provider."""
    place = "/decisions"
    if sources.at(CERTIFICATE, place) is None:
        raise sources.absent(CERTIFICATE)
    value, low, high = (sources.number(CERTIFICATE, f"{place}/{name}") for name in ("share", "low", "high"))
    frames = sources.count(CERTIFICATE, "/frames/count")
    return [
        EvidenceFigure(
            "frames in another state than on the CPU", CERTIFICATE, f"{place}/share", value, low, high, frames
        )
    ]


def allowed_flips(sources: EvidenceSources) -> float | None:
    """The share of flips that the certificate allowed."""
    return sources.number(CERTIFICATE, "/limits/flips")


def changed_classes(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the pixels of another class than on the CPU provider."""
    name = "pixels of another class than on the CPU"
    return _one(sources, name, "/class_maps/changed_pixels", "/class_maps/frames", "share")


def allowed_classes(sources: EvidenceSources) -> float | None:
    """The share of pixels of another class that the certificate allowed."""
    return sources.number(CERTIFICATE, "/limits/pixel_changes")


def _one(sources: EvidenceSources, name: str, place: str, frames: str, unit: Unit) -> list[EvidenceFigure]:
    figure = sources.figure(name, CERTIFICATE, place, frames=sources.count(CERTIFICATE, frames), unit=unit)
    if figure is None:
        raise sources.absent(CERTIFICATE)
    return [figure]
