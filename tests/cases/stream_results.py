# SPDX-License-Identifier: Apache-2.0
"""Compare what a stream gives with what is expected of it, or with what another one gives."""

import math
from collections.abc import Mapping
from typing import Any


def expected_fields(expected: Mapping[str, Any]) -> dict[str, Any]:
    """What a table expects of a frame, with what it leaves out: no alarm."""
    quiet: dict[str, Any] = {"alarm": False, "onset": False, "since_ns": None}
    if "quality_statistic" in expected:
        quiet |= {f"quality_{name}": value for name, value in quiet.items()}
    return quiet | dict(expected)


def differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two results differ in; numbers that are no integers may differ by rounding."""

    def same(one: object, other: object) -> bool:
        if isinstance(one, float) and isinstance(other, float):
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        return one == other

    missing = object()
    names = expected.keys() | found.keys()
    pairs = {name: (expected.get(name, missing), found.get(name, missing)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if not same(*pair)}
