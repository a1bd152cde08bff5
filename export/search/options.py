# SPDX-License-Identifier: Apache-2.0
"""Options of a search."""

from dataclasses import dataclass, field
from pathlib import Path

from export.anomalies import ANOMALIES
from export.detectors.registry import detectors_on_ind_frames
from export.pipeline.options import ExportOptions


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search.

    Attributes:
        export: checkpoint, frames, taps, preprocessing and constants, as an export takes them; where it is told to write to
            and how many samples it takes do not count.
        samples: numbers of samples to look at.
        detectors: to look at.
        components: of the PCA before them; 0 for none.
        ood_frames: real out-of-distribution frames; empty: synthetic shifts are made of the in-distribution frames.
        kinds: of the synthetic shifts.
        severity: of these.
        every: take every n-th frame for these.
        group_by: how frames are told apart by drive.
        timed: how many of the best are timed.
        guide: judge the guide's own configuration too, on shifts that neither it nor the best was fitted on.
    """

    export: ExportOptions
    samples: tuple[int, ...] = (8, 16, 64)
    detectors: tuple[str, ...] = field(default_factory=detectors_on_ind_frames)
    components: tuple[int, ...] = (0,)
    ood_frames: tuple[Path, ...] = ()
    kinds: tuple[str, ...] = tuple(ANOMALIES)
    severity: int = 3
    every: int = 4
    group_by: str = "none"
    timed: int = 3
    guide: bool = True
