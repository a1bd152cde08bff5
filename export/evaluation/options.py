# SPDX-License-Identifier: Apache-2.0
"""Options of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from export.anomalies import ANOMALIES, SEVERITIES


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of an evaluation.

    Attributes:
        bundle: its folder.
        ind: in-distribution frames that neither network, detector nor thresholds have seen.
        ood: out-of-distribution frames by name.
        labels: folders of label files, PNG class ids under the frames' own names.
        ignored_labels: ids of pixels that do not count.
        kinds: synthetic anomalies of the in-distribution frames, keys of ``ANOMALIES``.
        severities: of these.
        every: take every n-th in-distribution frame for the synthetic anomalies.
        fit_frames: in-distribution frames to fit other detectors on, to compare with.
        operating_point: whose threshold counts; None for the bundle's default.
        seed: of anomalies and bootstrap.
        threads: of ONNX Runtime; None for one a core.
    """

    bundle: Path
    ind: tuple[Path, ...]
    ood: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    labels: tuple[Path, ...] = ()
    ignored_labels: tuple[int, ...] = (255,)
    kinds: tuple[str, ...] = tuple(ANOMALIES)
    severities: tuple[int, ...] = SEVERITIES
    every: int = 1
    fit_frames: tuple[Path, ...] = ()
    operating_point: str | None = None
    seed: int = 0
    threads: int | None = None
