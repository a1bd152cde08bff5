# SPDX-License-Identifier: Apache-2.0
"""Differences of two verdicts: every field of one is compared, and what one of the two lacks counts."""

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from lsood_runtime import Assessment, OoDMonitor, UnknownObject
from lsood_runtime._certificate.differences import (
    _ARRAYS,
    _NUMBERS,
    _OF_OBJECTS,
    _WORDS,
    ClassMapChanges,
    Differences,
    ObjectChanges,
)
from tests.lsood_runtime.conftest import random_frames


def test_every_answer_of_a_verdict_is_compared() -> None:
    """What a field of an assessment says in other words, or of this run alone, is left out by its name."""
    said_otherwise = {"is_ood", "threshold", "reason", "tile_words", "object_words", "quality_measure"}
    of_the_run = {"provider", "latency_ms", "stamp_ns", "is_late", "faulty_tiles", "tile_faults", "features"}
    compared = {"state", "parts", "segmentation", "objects", *_NUMBERS, *_ARRAYS, *_WORDS}
    names = {field.name for field in fields(Assessment)}
    assert names == said_otherwise | of_the_run | compared
    assert {field.name for field in fields(UnknownObject)} == {
        *("x", "y", "width", "height", "class_id", "where"),
        *_OF_OBJECTS,
    }


@pytest.mark.parametrize("missing", ["cpu", "other"])
def test_class_map_that_one_provider_alone_gives_has_changed_in_every_pixel(missing: str, toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(random_frames(1, seed=3)[0])
    without, differences = replace(verdict, segmentation=None), Differences()
    pair = (without, verdict) if missing == "cpu" else (verdict, without)
    differences.add("a", verdict, verdict)
    differences.add("b", *pair)
    assert differences.class_maps == ClassMapChanges(2, 0.5, 1.0, "b")


def test_objects_that_moved_and_changed_class_are_told(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(random_frames(1, seed=3)[0])
    first = UnknownObject(0, 0, 10, 10, 0.1, 5.0, 3, math.inf, "centre")
    moved = replace(first, x=2.0, peak=5.5, class_id=4)
    other = replace(first, x=100.0)
    differences = Differences()
    differences.add(
        "a",
        replace(verdict, objects=(first, other), object_count=2, object_words="2"),
        replace(verdict, objects=(moved,), object_count=1, object_words="1"),
    )
    assert differences.objects == ObjectChanges(2, 1, 1, 80 / 120, "a")
    assert differences.numbers["objects.peak"].largest == 0.5
    assert differences.numbers["objects.road_distance"].largest == 0, "no road in sight on either"
    assert (differences.changed_words["object_classes"], differences.changed_words["object_count"]) == (1, 1)
