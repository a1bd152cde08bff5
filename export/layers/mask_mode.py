# SPDX-License-Identifier: Apache-2.0
"""Modes of drawing the masks of the samples."""

from typing import Literal

Mode = Literal["fixed", "fresh", "input"]
"""``fixed``: a mask bank in the graph; ``fresh``: drawn in the graph for each frame; ``input``: noise is an input."""
