# SPDX-License-Identifier: Apache-2.0
"""A monitor without graphs: a frame holds its own score. All that a stream needs of a monitor."""

import math

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import Assessment, Manifest, TileCheck
from lsood_runtime._inference.picture_check import NOT_LOOKED_AT, PictureCheck, PictureChecker
from lsood_runtime._verdict import VerdictRule
from tests.lsood_runtime.bundle.test_manifest import text_with

THRESHOLD = 1.0


def score_frame(score: float, image: int = 0) -> NDArray[np.float64]:
    """A frame with this score; frames are identical where score and ``image`` are."""
    return np.array([score, image])


class ScriptedMonitor:
    """Gives each frame of :func:`score_frame` its score; every other frame scores 0."""

    def __init__(self, manifest: Manifest | None = None, tile_check: TileCheck | None = None) -> None:
        self.manifest = manifest or Manifest.from_json(text_with())
        self.tile_check = tile_check
        self._pictures = PictureChecker(True, tile_check, [])
        self._rule = VerdictRule(THRESHOLD, self.manifest.calibration.scores, None)

    def assess_since(
        self,
        start: float,
        frame: object,
        noise: object = None,
        *,
        stamp_ns: int | None = None,
        judge_tiles: bool = True,
    ) -> Assessment:
        """The verdict on a frame; a picture is looked at tile by tile where the monitor has a check of tiles."""
        assert (start > 0, noise, stamp_ns is None) == (True, None, False)
        if self.tile_check is not None and isinstance(frame, np.ndarray) and frame.ndim == 3:
            picture = self._pictures.look(frame[None])
            return self._verdict(0.0, picture.reason(judge_tiles=judge_tiles), stamp_ns, picture)
        return self._verdict(
            float(frame[0]) if isinstance(frame, np.ndarray) and frame.shape == (2,) else 0.0, None, stamp_ns
        )

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None) -> Assessment:
        """The verdict on a frame that never became an image."""
        return self._verdict(math.inf, reason, stamp_ns)

    def _verdict(
        self, score: float, fault: str | None, stamp_ns: int | None, picture: PictureCheck = NOT_LOOKED_AT
    ) -> Assessment:
        assert type(stamp_ns) is int
        return self._rule.verdict(
            score=score,
            segmentation=None,
            fault=fault,
            provider="script",
            latency_ms=0.0,
            stamp_ns=stamp_ns,
            picture=picture,
        )
