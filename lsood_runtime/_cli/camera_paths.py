# SPDX-License-Identifier: Apache-2.0
"""Name the topics or entities of each camera in a recording, so that no two cameras share one."""

from collections.abc import Sequence


class CameraPaths:
    """Gives each camera a path of its own, its name without slashes at the ends.

    Where a path, with one of the endings, is another camera's already, as that of ``front`` is after ``/front/`` or that of
    ``front/anomaly_map`` after a ``front`` with a map, ``_2`` follows the name, or the next number that is free.

    Args:
        endings: of all that is written of a camera, each behind its path; ``""`` for the path itself.
    """

    def __init__(self, endings: Sequence[str]) -> None:
        self._endings = endings
        self._paths: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, camera: str) -> str:
        """The path of a camera."""
        if camera not in self._paths:
            name = path = camera.strip("/")
            number = 1
            while not self._taken.isdisjoint(path + ending for ending in self._endings):
                number += 1
                path = f"{name}_{number}"
            self._taken |= {path + ending for ending in self._endings}
            self._paths[camera] = path
        return self._paths[camera]
