# SPDX-License-Identifier: Apache-2.0
"""The verdict on a frame together with the alarm of its camera."""

import dataclasses
from dataclasses import dataclass

from lsood_runtime._assessment import Assessment
from lsood_runtime._stream.history import History
from lsood_runtime._stream.quality_drift import QualityAlarm
from lsood_runtime._text.json_values import JsonValue, finite_or_none, python_scalar


@dataclass(frozen=True, slots=True, eq=False)
class StreamAssessment:
    """The verdict on a frame, and whether the frames of its camera raise an alarm.

    Attributes:
        verdict: on the frame alone; INVALID too where the camera is frozen or silent, or its clock is wrong.
        camera: its name.
        index: frames that the camera sent before this one.
        alarm: whether there is an alarm.
        onset: whether this frame raised it.
        since_ns: stamp of the frame that raised it; None without an alarm.
        statistic: progress towards the alarm, which the policy raises at 1.
        history: how the frame continues the history of its camera.
        quality: whether the expected quality of its frames raises an alarm; None where it is not watched.
    """

    verdict: Assessment
    camera: str
    index: int
    alarm: bool
    onset: bool
    since_ns: int | None
    statistic: float
    history: History
    quality: QualityAlarm | None = None

    @property
    def restarted(self) -> bool:
        """Whether the history began anew with this frame; an alarm that stood before stands until its own rule clears it."""
        return self.history in (History.AFTER_GAP, History.AFTER_STEP)

    def asdict(self) -> dict[str, JsonValue]:
        """JSON-ready values of the verdict and of the alarm, in one level."""
        own = {
            field.name: python_scalar(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in ("verdict", "quality")
        }
        own["statistic"] = finite_or_none(self.statistic)
        own["history"] = self.history.value
        if (quality := self.quality) is not None:
            own |= {f"quality_{field.name}": getattr(quality, field.name) for field in dataclasses.fields(quality)}
            own["quality_statistic"] = finite_or_none(quality.statistic)
        return self.verdict.asdict() | own

    def __str__(self) -> str:
        """One line for a log."""
        quality = self.quality
        falls = "" if quality is None else f" quality {'ALARM' if quality.alarm else 'quiet'} {quality.statistic:.2f}"
        return f"{self.camera} #{self.index} {'ALARM' if self.alarm else 'quiet'} {self.statistic:.2f}{falls} {self.verdict}"
