# SPDX-License-Identifier: Apache-2.0
"""Both graphs of a bundle, ready to run."""

from collections.abc import Mapping
from dataclasses import dataclass

from lsood_runtime._inference.frame_pass import FramePass
from lsood_runtime._inference.placement import Placement


@dataclass(frozen=True, slots=True)
class LoadedGraphs:
    """Both graphs on one provider.

    Attributes:
        frame_pass: from frames to scores.
        provider: full name of the one that runs.
        placements: of the nodes of each graph, by its file.
    """

    frame_pass: FramePass
    provider: str
    placements: Mapping[str, Placement]
