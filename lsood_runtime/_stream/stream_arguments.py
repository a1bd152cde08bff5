# SPDX-License-Identifier: Apache-2.0
"""Check the arguments of a stream."""

import math

from lsood_runtime._arguments import check_callable, check_count, check_number, shown
from lsood_runtime._stream.policy import check_policy


def check_stream_arguments(
    monitor: object,
    policy: object,
    frozen_after_s: float | None,
    frozen_tolerance: float,
    max_cameras: int,
    on_result: object,
    quality: object,
) -> None:
    """Refuse arguments of which no stream can be made; they are those of :class:`lsood_runtime.Stream`.

    Raises:
        TypeError: an argument of another type.
        ValueError: a number out of range.
    """
    if not all(hasattr(monitor, name) for name in ("manifest", "tile_check", "assess_since", "report_invalid")):
        raise TypeError(f"expected a monitor, got {shown(monitor)}: pass an OoDMonitor, or call its stream method")
    check_policy(policy)
    if frozen_after_s is not None:
        check_number(
            frozen_after_s,
            "a time above 0 s after which a camera is frozen",
            "pass None for never",
            lambda seconds: 0 < seconds < math.inf,
        )
    check_number(
        frozen_tolerance,
        "a share of tiles from 0 to 0.5",
        "pass 0 for identical images",
        lambda share: 0 <= share <= 0.5,
    )
    check_count(max_cameras, "at least one camera", "1000 is the default")
    check_callable(on_result, "on_result")
    if quality is not None and not hasattr(quality, "begin"):
        raise TypeError(
            f"expected a rule of the quality, got {shown(quality)}: pass quality_policy to the monitor's stream method"
        )
