# SPDX-License-Identifier: Apache-2.0
"""Both graphs of a bundle, ready to run."""

from dataclasses import dataclass

from lsood_runtime._inference.frame_pass import FramePass


@dataclass(frozen=True, slots=True)
class LoadedGraphs:
    """Both graphs on one provider.

    Attributes:
        frame_pass: from frames to scores.
        provider: full name of the one that runs.
        placement: nodes of both graphs by provider; empty where this ONNX Runtime does not report them.
    """

    frame_pass: FramePass
    provider: str
    placement: dict[str, int]
