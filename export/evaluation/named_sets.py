# SPDX-License-Identifier: Apache-2.0
"""Parse named sets of out-of-distribution frames, and kinds of degradation, as a user types them."""

from collections.abc import Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, COMMON_KINDS
from export.frames.named_paths import read_named_paths, taken


def read_named_sets(words: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Read ``dusk=a/,b/`` as :func:`export.frames.named_paths.read_named_paths` does.

    Raises:
        UsageError: as there, or a name of another set of an evaluation.
    """
    sets = read_named_paths(words, "out-of-distribution frames", "dusk=drives/dusk")
    for name in sets:
        kind, _, severity = name.rpartition(" ")
        if name == "in distribution" or (kind in ANOMALIES and severity.isdecimal()):
            raise taken(name)
    return sets


def read_kinds(words: Sequence[str]) -> tuple[str, ...]:
    """Read ``common``, ``all``, ``none``, or names of degradations."""
    sets = {"common": COMMON_KINDS, "all": tuple(ANOMALIES), "none": ()}
    return sets[words[0]] if len(words) == 1 and words[0] in sets else tuple(words)


def kind_words(kinds: Sequence[str]) -> list[str]:
    """The words from which :func:`read_kinds` reads these kinds."""
    sets = {COMMON_KINDS: "common", tuple(ANOMALIES): "all", (): "none"}
    return [sets[tuple(kinds)]] if tuple(kinds) in sets else list(kinds)
