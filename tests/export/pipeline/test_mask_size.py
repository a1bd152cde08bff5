# SPDX-License-Identifier: Apache-2.0
"""The size of stored masks is that of the graph's constants, and what a warning of it suggests makes it smaller."""

import functools
import re
from types import SimpleNamespace
from typing import Any

import pytest

from export.pipeline import mask_size
from export.pipeline.mask_size import report_mask_size, stored_bytes
from export.sampling.sampler import Sampler, build_sampler
from tests.export.pipeline.told_reporter import ToldReporter
from tests.export.sampling.test_sampler import CASES, EXAMPLE
from tests.networks import DropoutUNet, settled

SAMPLES = 24


@functools.cache
def sampler_of(tap: str = "bottleneck", **options: Any) -> Sampler:
    chosen = {"mc_samples": SAMPLES, "drop_prob": 0.6, "block_size": 2} | options
    return build_sampler(settled(DropoutUNet()), EXAMPLE, [tap], **chosen)


def warnings_of(sampler: Sampler) -> list[str]:
    sampled: Any = SimpleNamespace(sampler=sampler)
    reporter = ToldReporter()
    report_mask_size(sampled, reporter)
    return reporter.lines


FAST_CASES = (
    "DropBlock at the tap",
    "DropBlock added behind dropout",
    "only the tap, its own dropout",
    "attention dropout, heads in the batch",
    "a flat tap",
)
"""Each kind of randomness and of site, in the fast tests."""


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in FAST_CASES else pytest.mark.slow) for case in CASES]
)
def test_stored_bytes_of_a_network_are_those_of_the_buffers_of_its_module(case: str) -> None:
    make, taps, options, _ = CASES[case]
    sampler = build_sampler(settled(make()), EXAMPLE, taps, mc_samples=7, **options)
    stored = [buffer for name, buffer in sampler.module.named_buffers() if name.endswith("stored")]
    assert sum(stored_bytes(sampler).values()) == sum(buffer.nbytes for buffer in stored) > 0


def test_report_mask_size_of_small_masks_says_nothing() -> None:
    assert warnings_of(sampler_of()) == []


def test_report_mask_size_of_large_masks_suggests_what_makes_them_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sum(stored_bytes(sampler_of()).values())
    monkeypatch.setattr(mask_size, "LARGE", whole // 2)
    (warning,) = warnings_of(sampler_of())
    assert "at drop2: smaller by" in warning
    options: dict[str, dict[str, Any]] = {
        "--masks fresh": {"mode": "fresh"},
        "--masks input": {"mode": "input"},
        "--only-tap": {"only_tap": True},
        f"--mc-samples {SAMPLES // 2}": {"mc_samples": SAMPLES // 2},
        "--tap": {"tap": "drop1", "drop_prob": None, "block_size": None},  # a number a channel
    }
    flags = re.findall(r"--[a-z-]+(?: (?:fresh|input|\d+))?", warning)
    assert flags == list(options)
    for flag in flags:
        assert warnings_of(sampler_of(**options[flag])) == [], flag


def test_report_mask_size_of_far_too_large_masks_suggests_no_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_size, "LARGE", 100)
    (warning,) = warnings_of(sampler_of())
    assert "--mc-samples" not in warning
