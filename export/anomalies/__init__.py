# SPDX-License-Identifier: Apache-2.0
"""Degradations of a camera frame, seeded, in five severities and independent of the frame's size.

Every kind is one function ``(frame, severity, rng) -> frame`` on float32 in [0, 255]; to add one, write it and list it
in ``export/anomalies/kinds.py``, or pass it to ``degrade`` as it is. The same seed degrades the same part of the picture
at every size, except for noise and blocks, which live on the frame's own pixels. ``docs/reference/degradations.md``
shows every kind at every severity.
"""

from export.anomalies.composition import DegradedMoment, composed, draw_pair, rising
from export.anomalies.degrading import SEVERITIES, degrade, degrade_with_mask
from export.anomalies.kinds import ANOMALIES, COMMON_KINDS, KINDS, TILE_KINDS, AnomalyGroup, AnomalyKind, kinds_in
from export.anomalies.overlay_folder import overlays
from export.anomalies.patterns import Bytes, Degradation, Floats, LocalChange

__all__ = [
    "ANOMALIES",
    "COMMON_KINDS",
    "KINDS",
    "SEVERITIES",
    "TILE_KINDS",
    "AnomalyGroup",
    "AnomalyKind",
    "Bytes",
    "Degradation",
    "DegradedMoment",
    "Floats",
    "LocalChange",
    "composed",
    "degrade",
    "degrade_with_mask",
    "draw_pair",
    "kinds_in",
    "overlays",
    "rising",
]
