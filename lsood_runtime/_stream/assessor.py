# SPDX-License-Identifier: Apache-2.0
"""Interface of what scores the frames of a stream."""

from typing import Protocol

from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._inference.noise import FrameNoise
from lsood_runtime._tiles.check import TileCheck


class Assessor(Protocol):
    """Interface that a stream needs of a monitor: :class:`OoDMonitor`, or anything that gives assessments of frames."""

    @property
    def manifest(self) -> Manifest:
        """Metadata of the bundle, with the calibration that policies start from."""

    @property
    def tile_check(self) -> TileCheck | None:
        """The check of raw frames tile by tile; None for none."""

    def assess_since(
        self,
        start: float,
        frame: object,
        noise: FrameNoise | None = None,
        *,
        stamp_ns: int | None = None,
        judge_tiles: bool = True,
    ) -> Assessment:
        """Assess a frame that has waited since ``start``, of ``time.perf_counter()``."""

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None) -> Assessment:
        """Make the INVALID verdict on a frame that never became an image."""
