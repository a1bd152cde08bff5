# SPDX-License-Identifier: Apache-2.0
"""Names of a user's own kinds of degradation, as a command line gives them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.anomalies import ANOMALIES
from export.errors import UsageError
from export.frames.named_paths import read_named_paths
from lsood_runtime.offline import NO_CAUSE, UNKNOWN

FEWEST_OWN = 20
"""Frames of a kind, at least: the mean of fewer, without the fold that is judged, is too far off for a limit of novelty."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def read_causes(words: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Read ``soiling=DIR``, one word for each kind.

    Raises:
        UsageError: a word of another form, or a name that no kind can have.
    """
    causes = read_named_paths(words, "frames of a cause", "soiling=drives/soiled")
    check_cause_names(causes)
    return causes


def check_cause_names(causes: Mapping[str, Sequence[Path]]) -> None:
    """Refuse names that no kind of a user's own can have.

    Raises:
        UsageError: a name of other signs than letters, digits, ``_`` and ``-``, or one that is taken.
    """
    taken = {kind.replace("-", "_").casefold() for kind in (*ANOMALIES, NO_CAUSE, UNKNOWN)}
    for name in causes:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"expected a cause named by a letter, then up to 39 letters, digits, _ or -, got {name!r}: choose such a name"
            )
        if name.replace("-", "_").casefold() in taken:
            raise UsageError(
                f"expected a name of its own for each cause, got {name}, which stands for something else: choose another"
            )
        taken.add(name.replace("-", "_").casefold())
