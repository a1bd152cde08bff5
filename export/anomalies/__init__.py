# SPDX-License-Identifier: Apache-2.0
"""Degradations of a camera frame, seeded, in five severities and independent of the frame's size.

Every kind is one function ``(frame, severity, rng) -> frame`` on float32 in [0, 255]; to add one, write it and list it
in ``ANOMALIES``, or pass it to ``degrade`` as it is. The same seed degrades the same part of the picture at every size;
only ``jpeg``, ``sensor_noise`` and the noise of ``night`` live on the frame's own pixels. ``docs/reference/degradations.md``
shows every kind at every severity.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from export.anomalies.lens import defocus, motion_blur, mud, occlusion
from export.anomalies.light import night, over_exposure, sun_flare, under_exposure
from export.anomalies.overlay_folder import overlays
from export.anomalies.patterns import Bytes, Degradation, Floats
from export.anomalies.sensor import dead_lines, jpeg, sensor_noise
from export.anomalies.weather import fog, rain, snow
from export.errors import UsageError

__all__ = ["ANOMALIES", "SEVERITIES", "Bytes", "Degradation", "Floats", "degrade", "overlays"]

SEVERITIES = (1, 2, 3, 4, 5)

ANOMALIES: Mapping[str, Degradation] = MappingProxyType(
    {
        "fog": fog,
        "night": night,
        "sun_flare": sun_flare,
        "mud": mud,
        "sensor_noise": sensor_noise,
        "defocus": defocus,
        "rain": rain,
        "snow": snow,
        "motion_blur": motion_blur,
        "jpeg": jpeg,
        "over_exposure": over_exposure,
        "under_exposure": under_exposure,
        "dead_lines": dead_lines,
        "occlusion": occlusion,
    }
)
"""Every kind of degradation that needs no files, by name."""


def degrade(frame: Bytes, kind: str | Degradation, severity: int, seed: int) -> Bytes:
    """Degrade a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        kind: a key of ``ANOMALIES``, or a degradation such as ``overlays(folder)``.
        severity: 1, just visible, to 5, severe.
        seed: 0 or more; equal seeds degrade equally.

    Returns:
        ``(H, W, 3)`` uint8 RGB, contiguous.

    Raises:
        UsageError: an unknown kind, a severity or a seed out of range, or an array that is no frame.
    """
    if isinstance(kind, str) and kind not in ANOMALIES:
        raise UsageError(f"expected a kind of anomaly from {', '.join(ANOMALIES)}, got {kind!r}: choose one of them")
    if severity not in SEVERITIES:
        raise UsageError(f"expected a severity from 1 to 5, got {severity!r}: choose one of them")
    if seed < 0:
        raise UsageError(f"expected a seed of 0 or more, got {seed}: pass a non-negative integer")
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape or frame.dtype != np.uint8:
        raise UsageError(
            f"expected an (H, W, 3) uint8 frame, got {frame.shape} {frame.dtype}: pass the camera's own RGB image"
        )
    degradation = ANOMALIES[kind] if isinstance(kind, str) else kind
    degraded = degradation(frame.astype(np.float32, order="C"), severity, np.random.default_rng(seed))
    return np.ascontiguousarray(np.rint(np.clip(degraded, 0, 255)), dtype=np.uint8)
