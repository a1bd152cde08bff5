# SPDX-License-Identifier: Apache-2.0
"""Notice in a recording that a camera stopped while the others go on."""

_NANOSECONDS = 1_000_000_000
_LONGEST_STEP_NS = 10 * _NANOSECONDS  # a stamp that jumps further says nothing of the time that went by
_MEAN_INTERVALS = 5
_FEWEST_INTERVALS = 3  # from which a camera's rate is known
_SHARE_OF_NEWEST = 0.2


class _CameraPosition:
    """Where a camera stands on the time of the drive; all in nanoseconds."""

    def __init__(self, stamp_ns: int, drive_ns: int) -> None:
        self.stamp_ns, self.position_ns, self.seen_ns, self.reported_ns = stamp_ns, drive_ns, drive_ns, drive_ns
        self._interval_ns, self._intervals = 0.0, 0

    def count_interval(self, step_ns: int) -> None:
        self._intervals += 1
        self._interval_ns += max(_SHARE_OF_NEWEST, 1 / self._intervals) * (step_ns - self._interval_ns)

    @property
    def patience_ns(self) -> float:
        """How long it may be silent, as far as its own rate says."""
        return _MEAN_INTERVALS * self._interval_ns if self._intervals >= _FEWEST_INTERVALS else _LONGEST_STEP_NS


class SilentCameras:
    """Follows the time of a drive by the stamps of all its cameras, each on a clock of its own, and finds those that stopped.

    Time goes by as the stamps of any camera rise, by ten seconds a frame at most: a wrong stamp makes no other camera silent.

    Args:
        max_age_s: a camera is silent that has sent nothing for longer, and for longer than five of its usual intervals; ten
            seconds where it has sent fewer than four frames.
    """

    def __init__(self, max_age_s: float) -> None:
        self._max_age_ns = round(max_age_s * _NANOSECONDS)
        self._cameras: dict[str, _CameraPosition] = {}
        self._drive_ns = 0

    def see(self, camera: str, stamp_ns: int) -> list[tuple[str, int]]:
        """Take in the stamp of the next frame of any camera.

        Returns:
            Cameras that are silent now, each with the time that it is on its own clock; one that stays silent comes again
            after another ``max_age_s``.
        """
        known = self._cameras.get(camera)
        if known is None:
            self._cameras[camera] = _CameraPosition(stamp_ns, self._drive_ns)
        else:
            step_ns = min(max(stamp_ns - known.stamp_ns, 0), _LONGEST_STEP_NS)
            known.count_interval(step_ns)
            known.position_ns = max(known.position_ns + step_ns, self._drive_ns - self._max_age_ns)
            self._drive_ns = max(self._drive_ns, known.position_ns)
            known.stamp_ns, known.seen_ns, known.reported_ns = stamp_ns, self._drive_ns, self._drive_ns
        return [(name, other.stamp_ns + self._drive_ns - other.seen_ns) for name, other in self._due()]

    def _due(self) -> list[tuple[str, _CameraPosition]]:
        due = [
            (name, camera)
            for name, camera in self._cameras.items()
            if self._drive_ns - camera.reported_ns > self._max_age_ns
            and self._drive_ns - camera.seen_ns > camera.patience_ns
        ]
        for _, camera in due:
            camera.reported_ns = self._drive_ns
        return due
