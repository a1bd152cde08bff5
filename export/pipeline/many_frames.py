# SPDX-License-Identifier: Apache-2.0
"""Advice for an export on many frames, which a calibration of the exported bundle measures better."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from export.option_table import plain_word

MANY_FRAMES = 2000
"""Frames from which on an export gives advice: some ten minutes of measuring."""

_SHOWN = 3


def many_frames_advice(count: int, frames: Sequence[Path], out: Path) -> str | None:
    """One line with the commands that measure many frames by several processes and go on after a cut; None for few frames.

    Args:
        count: number of frames.
        frames: folders and files that hold them.
        out: the bundle.
    """
    if count < MANY_FRAMES:
        return None
    given = frames if len(frames) <= _SHOWN else (*frames[:_SHOWN], "...")
    words = ("python", "-m", "export", "calibrate", out, "--frames", *given)
    measured = ("--save-features", out.with_name(f"{out.name}-features"), "--workers", str(os.cpu_count() or 1))
    command = shlex.join(plain_word(word) for word in (*words, *measured))
    return (
        f"{count} frames: an export measures them in one process and begins anew after a cut; to go on after one, and take "
        f"several processes, export on the frames of a few drives, then run {command}, with the same options of calibration"
    )
