# SPDX-License-Identifier: Apache-2.0
"""A hazard that the evidence pack names is there: shown, not only told."""

from pathlib import Path

import numpy as np

from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor, State


def test_photograph_of_a_road_before_the_camera_is_in_distribution(bundle: Path, frames: Path) -> None:
    """One picture of a road for two seconds, with the noise of a sensor: every verdict is OK, and no alarm is raised."""
    rng = np.random.default_rng(0)
    with OoDMonitor(bundle) as monitor:
        pictures = list(FrameFiles([frames]))
        photograph = pictures[int(np.argmin([monitor.score(picture) for picture in pictures]))].astype(np.int16)
        stream = monitor.stream("3of5")
        verdicts = [
            stream.assess(
                np.clip(photograph + rng.integers(-2, 3, photograph.shape), 0, 255).astype(np.uint8), stamp_ns=i * 10**8
            )
            for i in range(20)
        ]
    assert {each.verdict.state for each in verdicts} == {State.OK}
    assert not any(each.alarm for each in verdicts)
