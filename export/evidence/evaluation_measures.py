# SPDX-License-Identifier: Apache-2.0
"""Figures of requirements that the report of an evaluation gives: false alarms, detection, independence of the frames."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.evaluation.blind_spots import FEW_HURT
from export.evaluation.interval import DriveCount
from export.evidence.claims import EvidenceFigure
from export.evidence.json_pointer import pointer
from export.evidence.pack_names import FIGURES
from export.evidence.sources import EvidenceSources, UnmeasuredError, damaged


def false_alarms(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the in-distribution frames above the threshold."""
    used = used_frames(sources)[0].value
    if used:
        raise UnmeasuredError(f"{used:.0f} of the in-distribution frames fitted the detector or set its threshold.")
    frames = sources.count(FIGURES, "/ind/frames")
    figure = sources.figure("false alarms", FIGURES, "/ind/false_alarm_rate", frames=frames, drives=sources.drives)
    return _known(sources, figure)


def flagged_drives(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many in-distribution drives are flagged on more than half of their frames."""
    rows = _drives(sources)
    mostly = sum(2 * flagged > frames for frames, flagged in rows)
    name = f"of {len(rows)} drives flagged on more than half of their frames"
    return [
        EvidenceFigure(
            name,
            FIGURES,
            "/ind/drives",
            mostly,
            frames=sum(frames for frames, _ in rows),
            drives=len(rows),
            unit="number",
        )
    ]


def effective_drives(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many drives of equal size tell as much as the in-distribution ones."""
    rows = _drives(sources)
    count = DriveCount.of_sizes(np.array([frames for frames, _ in rows], np.int64))
    name = "drives of equal size that tell as much"
    frames = sum(frames for frames, _ in rows)
    return [
        EvidenceFigure(name, FIGURES, "/ind/drives", count.effective, frames=frames, drives=len(rows), unit="number")
    ]


def used_frames(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many in-distribution frames of the report fitted the detector or set its thresholds."""
    place, frames = "/ind/calibration_frames", sources.count(FIGURES, "/ind/frames")
    figure = sources.figure("frames that the calibration has seen", FIGURES, place, frames=frames, unit="number")
    return _known(sources, figure)


def fitted_shifts(sources: EvidenceSources) -> list[EvidenceFigure]:
    """How many of the shifts the detector was fitted on."""
    rows = sources.rows(FIGURES, "/shifts")
    if not rows:
        raise sources.absent(FIGURES)
    fitted = sum(bool(row.get("fitted_on")) for row in rows)
    return [EvidenceFigure(f"of {len(rows)} shifts fitted on", FIGURES, "/shifts", fitted, unit="number")]


def missed_frames(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of all frames that hurt which are missed at the threshold."""
    place = "/hurting/hurting_frames"
    frames = sources.count(FIGURES, f"{place}/frames")
    if FIGURES in sources.documents and not frames:
        raise UnmeasuredError("None of the frames hurts the segmentation, or it is not known which do.")
    missed = sources.figure("frames that hurt and are missed", FIGURES, f"{place}/missed", frames=frames)
    auroc = sources.figure("their AUROC", FIGURES, f"{place}/auroc", frames=frames, judged=False)
    return [*_known(sources, missed), *([] if auroc is None else [auroc])]


def shift_ids(sources: EvidenceSources) -> dict[str, str]:
    """The kinds of degradation and the real shifts of the report, by the identifier of their requirement."""
    names = dict.fromkeys(str(row.get("kind") or row.get("name")) for row in sources.rows(FIGURES, "/shifts"))
    ids: dict[str, str] = {}
    for name in names:
        base = f"R-DET-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-').upper() or 'SHIFT'}"
        taken, number = base, 2
        while taken in ids:  # two sets whose names differ in their signs alone
            taken, number = f"{base}-{number}", number + 1
        ids[taken] = name
    return ids


def missed_of(name: str) -> Callable[[EvidenceSources], list[EvidenceFigure]]:
    """A measure of a shift or a kind of degradation: at each severity the share of the frames that hurt which are missed.

    As in the report a set of which less than a tenth of the frames hurt is not judged, and one of which it is not known
    whether they hurt is judged as if all of them did.
    """

    def figures(sources: EvidenceSources) -> list[EvidenceFigure]:
        found: list[EvidenceFigure] = []
        for i, row in enumerate(sources.rows(FIGURES, "/shifts")):
            if (row.get("kind") or row.get("name")) == name:
                found += _missed(sources, i, row)
        if not any(figure.judged for figure in found):
            raise UnmeasuredError(_not_judged(found, name, sources))
        return found

    return figures


def _missed(sources: EvidenceSources, i: int, row: Mapping[str, Any]) -> list[EvidenceFigure]:
    drives = None if row.get("kind") is None else sources.drives  # degraded frames are of the drives in distribution
    label, count = str(row.get("name")), sources.count(FIGURES, pointer("shifts", i, "frames")) or 0
    if row.get("fitted_on"):
        return []
    share = sources.number(FIGURES, pointer("shifts", i, "hurting_share"))
    if share is None:
        place = pointer("shifts", i, "figures", "miss_rate")
        name = f"{label}: frames missed, as if all of them hurt"
        return _known(sources, sources.figure(name, FIGURES, place, frames=count, drives=drives))
    place, frames = pointer("shifts", i, "missed_of_hurting"), round(share * count)
    name, judged = f"{label}: frames that hurt and are missed", share >= FEW_HURT
    figure = sources.figure(name, FIGURES, place, frames=frames, drives=drives, judged=judged)
    return [] if figure is None else [figure]


def _not_judged(found: list[EvidenceFigure], name: str, sources: EvidenceSources) -> str:
    if FIGURES not in sources.documents:
        return str(sources.absent(FIGURES))
    if found or any((row.get("kind") or row.get("name")) == name for row in sources.rows(FIGURES, "/shifts")):
        return (
            "Less than a tenth of its frames hurt the segmentation at any severity, or the detector was fitted on them."
        )
    return f"The report has no frames of {name}."


def _drives(sources: EvidenceSources) -> list[tuple[int, int]]:
    """Frames and flagged frames of each in-distribution drive."""
    rows = sources.rows(FIGURES, "/ind/drives")
    if not rows:
        raise sources.absent(FIGURES)
    found: list[tuple[int, int]] = []
    for i in range(len(rows)):
        frames, flagged = (sources.count(FIGURES, pointer("ind", "drives", i, name)) for name in ("frames", "flagged"))
        if not frames or flagged is None or flagged > frames:
            raise damaged(FIGURES, pointer("ind", "drives", i), "frames of a drive, and how many are flagged", rows[i])
        found.append((frames, flagged))
    return found


def _known(sources: EvidenceSources, figure: EvidenceFigure | None) -> list[EvidenceFigure]:
    if figure is None:
        raise sources.absent(FIGURES)
    return [figure]
