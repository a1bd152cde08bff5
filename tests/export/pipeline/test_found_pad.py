# SPDX-License-Identifier: Apache-2.0
"""Padding that an image processor's file states is that of the flag; other padding is warned of, and the flag comes first."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.pipeline.found_pad import find_pad
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from export.pipeline.preprocessor_config import PreprocessorConfig
from tests.export.pipeline.told_reporter import ToldReporter

NAME = "preprocessor_config.json"
SIDES = st.integers(8, 900)


def config(**settings: Any) -> PreprocessorConfig:
    return PreprocessorConfig(NAME, {"do_pad": True, **settings})


def padded(size: tuple[int, int], multiple: int) -> tuple[int, ...]:
    """Counted up, one by one."""
    return tuple(next(n for n in range(length, length + multiple) if n % multiple == 0) for length in size)


@given(
    st.tuples(SIDES, SIDES),
    st.sampled_from([8, 14, 16, 32]),
    st.sampled_from(["size_divisor", "size_divisibility", "pad_size", "both sides"]),
)
def test_find_pad_of_a_file_gives_the_size_to_which_the_library_pads(
    size: tuple[int, int], multiple: int, name: str
) -> None:
    target = padded(size, multiple)
    stated: Any = {"height": target[0], "width": target[1]} if name == "both sides" else multiple
    found = find_pad(None, config(**{"pad_size" if name == "both sides" else name: stated}), size)
    assert padded(size, found.multiple) == target
    assert found.warnings == ()
    (finding,) = found.findings
    assert finding.words == ("--pad", str(found.multiple))
    assert find_pad(int(finding.words[1]), None, size).multiple == found.multiple, "the printed flag gives the same"


@pytest.mark.parametrize(
    "settings",
    [
        {},  # to the largest picture of a batch
        {"pad_size": {"height": 100, "width": 37}},
        {"pad_size": {"height": 4, "width": 4}},
        {"size_divisor": 32, "image_processor_type": "DPTImageProcessor"},
        {"size_divisor": 0},
        {"pad_size": True},
    ],
)
def test_find_pad_of_another_padding_leaves_it_and_says_so(settings: dict[str, Any]) -> None:
    found = find_pad(None, config(**settings), (38, 74))
    assert (found.multiple, found.findings) == (1, ())
    (warning,) = found.warnings
    assert warning.startswith(f"warning: {NAME} pads, which is not taken from it")
    assert find_pad(1, config(**settings), (38, 74)).warnings == (), "the flag that is named ends the warning"


def test_find_pad_of_a_file_that_does_not_pad_is_none() -> None:
    for each in (None, PreprocessorConfig(NAME, {"size_divisor": 32}), config(do_pad=False, size_divisor=32)):
        assert find_pad(None, each, (38, 74)).multiple == 1


@pytest.mark.parametrize("given_multiple", [0, -8, 1025])
def test_find_pad_of_a_flag_out_of_range_is_refused(given_multiple: int) -> None:
    with pytest.raises(UsageError, match="expected --pad from 1 to 1024"):
        find_pad(given_multiple, None, (38, 74))


@pytest.mark.parametrize(("flag", "expected"), [(None, (26, 22)), (1, (0, 0)), (8, (2, 6))])
def test_resolve_preprocessing_pads_as_the_file_unless_the_flag_says_otherwise(
    flag: int | None, expected: tuple[int, int], tmp_path: Path
) -> None:
    settings = {"do_pad": True, "size_divisor": 32, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / NAME).write_text(json.dumps(settings))
    options = ExportOptions(tmp_path / "x.ckpt", (Path("day"),), Path("monitor"), pad=flag)
    frames: Any = SimpleNamespace(shape=(38, 74, 3))
    reporter = ToldReporter()
    found = resolve_preprocessing(options, Checkpoint(nn.Identity(), {}, tmp_path / "x.ckpt"), frames, reporter)
    assert found.pad == expected
    assert ("padding" in reporter.findings) == (flag is None)
