# SPDX-License-Identifier: Apache-2.0
"""The table of the kinds of degradation: name, group, and whether it is local and stays in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from export.anomalies.colour import bayer_phase, white_balance
from export.anomalies.geometry import decalibration, torn_frame
from export.anomalies.glass import dirt_film, frost
from export.anomalies.lens import defocus, motion_blur, mud, occlusion
from export.anomalies.light import night, over_exposure, sun_flare, under_exposure
from export.anomalies.patterns import Degradation
from export.anomalies.sensor import dead_lines, jpeg, sensor_noise
from export.anomalies.stray_light import dusk, flicker_bands, glare, veiling_glare
from export.anomalies.video import video_compression
from export.anomalies.water import condensation, drops, water_streaks
from export.anomalies.weather import fog, rain, snow
from export.errors import UsageError

AnomalyGroup = Literal["weather", "light", "lens", "sensor", "coding"]
"""Where on its way from the scene to the file the picture is degraded, in this order."""


@dataclass(frozen=True)
class AnomalyKind:
    """One kind of degradation.

    Attributes:
        degradation: the function.
        group: where the picture is degraded.
        local: whether it acts on a part of the picture, and its mask says on which.
        lasting: whether its pattern stays in place from frame to frame, as mud does and noise does not.
    """

    degradation: Degradation
    group: AnomalyGroup
    local: bool = False
    lasting: bool = True


KINDS: Mapping[str, AnomalyKind] = MappingProxyType(
    {
        "fog": AnomalyKind(fog, "weather"),
        "night": AnomalyKind(night, "light", lasting=False),
        "sun_flare": AnomalyKind(sun_flare, "light"),
        "mud": AnomalyKind(mud, "lens", local=True),
        "sensor_noise": AnomalyKind(sensor_noise, "sensor", lasting=False),
        "defocus": AnomalyKind(defocus, "lens"),
        "rain": AnomalyKind(rain, "weather", lasting=False),
        "snow": AnomalyKind(snow, "weather", lasting=False),
        "motion_blur": AnomalyKind(motion_blur, "lens"),
        "jpeg": AnomalyKind(jpeg, "coding"),
        "over_exposure": AnomalyKind(over_exposure, "light"),
        "under_exposure": AnomalyKind(under_exposure, "light"),
        "dead_lines": AnomalyKind(dead_lines, "sensor", local=True),
        "occlusion": AnomalyKind(occlusion, "lens", local=True),
        "drops": AnomalyKind(drops, "lens", local=True),
        "water_streaks": AnomalyKind(water_streaks, "lens", local=True),
        "condensation": AnomalyKind(condensation, "lens", local=True),
        "dirt_film": AnomalyKind(dirt_film, "lens"),
        "frost": AnomalyKind(frost, "lens", local=True),
        "dusk": AnomalyKind(dusk, "light"),
        "veiling_glare": AnomalyKind(veiling_glare, "light"),
        "glare": AnomalyKind(glare, "light", local=True),
        "flicker_bands": AnomalyKind(flicker_bands, "light", lasting=False),
        "bayer_phase": AnomalyKind(bayer_phase, "sensor", local=True),
        "white_balance": AnomalyKind(white_balance, "sensor"),
        "decalibration": AnomalyKind(decalibration, "lens"),
        "video_compression": AnomalyKind(video_compression, "coding"),
        "torn_frame": AnomalyKind(torn_frame, "coding", local=True, lasting=False),
    }
)
"""Every kind of degradation that needs no files, by name; kinds are added at the end."""

ANOMALIES: Mapping[str, Degradation] = MappingProxyType({name: kind.degradation for name, kind in KINDS.items()})
"""Function of every kind, by name."""

COMMON_KINDS: tuple[str, ...] = tuple(KINDS)[:14]
"""The kinds by which detectors are chosen, bundles evaluated and the published results measured unless others are named."""


TILE_KINDS: tuple[str, ...] = tuple(name for name, kind in KINDS.items() if kind.local and name != "torn_frame")
"""The local kinds by which each part of the picture that they touch looks abnormal by itself, from which abnormal tiles are
learnt: what lies below the seam of a torn frame is a picture as any other."""


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse names that are not in the table, and none at all.

    Raises:
        UsageError: with the names that there are.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        got = repr(unknown[0]) if unknown else "none"
        raise UsageError(f"expected a kind of anomaly from {', '.join(KINDS)}, got {got}: choose one of them")


def kinds_in(*groups: AnomalyGroup) -> tuple[str, ...]:
    """Names of the kinds of some groups, in the order of the table; of all groups where none is named."""
    chosen = groups or get_args(AnomalyGroup)
    return tuple(name for name, kind in KINDS.items() if kind.group in chosen)
