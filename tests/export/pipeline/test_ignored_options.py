# SPDX-License-Identifier: Apache-2.0
"""Options that would have no effect are refused, with what makes them one too many."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from export.calibration.recalibration_options import RecalibrationOptions
from export.errors import TapError, UsageError
from export.pipeline.export_monitor import plan_export
from export.pipeline.options import ExportOptions
from export.recalibrate import recalibrate
from tests.export.sampling.test_layouts import TokenNetwork
from tests.networks import NoDropout

MASKS: dict[str, Any] = {"drop_prob": 0.6, "block_size": 2, "force": True, "mean": (0.5,) * 3, "std": (0.25,) * 3}


def options(**more: Any) -> ExportOptions:
    return replace(ExportOptions(None, (), Path("monitor"), input_size=(24, 32), **MASKS), **more)


def problem(kind: type[Exception], network: torch.nn.Module, **more: Any) -> str:
    plan = plan_export(options(**more), network=network.eval())
    (error,) = [str(error) for error in plan.problems if isinstance(error, kind) and "--frames" not in str(error)]
    return error


def test_plan_with_a_token_grid_for_a_convolutional_tap_is_refused() -> None:
    text = problem(TapError, NoDropout(), tap=("encoder",), token_grid=(6, 8))
    assert text == (
        "expected --token-grid of the tokens on which DropBlock works, got 6 8: DropBlock at encoder works on no tokens; "
        "leave the flag out"
    )


@pytest.mark.parametrize("grid", [(5, 7), (4096, 4096)])
def test_plan_with_a_token_grid_that_is_not_the_one_of_the_tokens_is_refused(grid: tuple[int, int]) -> None:
    text = problem(TapError, TokenNetwork(), tap=("last",), token_grid=grid)
    assert f"got {grid[0]} {grid[1]}: there are squares of a grid of 3 x 4 tokens" in text


@pytest.mark.parametrize("grid", [(-1, 0), (-3, -4)])
def test_plan_with_a_token_grid_that_no_picture_has_is_refused(grid: tuple[int, int]) -> None:
    text = problem(UsageError, TokenNetwork(), tap=("last",), token_grid=grid)
    assert f"expected --token-grid of at least 1, got {grid[0]}" in text


def test_plan_with_the_token_grid_of_the_tokens_takes_it() -> None:
    plan = plan_export(options(tap=("last",), token_grid=(3, 4)), network=TokenNetwork().eval())
    assert [str(error) for error in plan.problems if not isinstance(error, UsageError)] == []


def test_plan_with_a_form_of_the_output_without_a_segmentation_is_refused() -> None:
    text = problem(UsageError, NoDropout(), tap=("encoder",), segmentation="none", network_output="logits")
    assert text == "expected no --network-output with --segmentation none, got logits: leave one of them out"


def test_recalibrate_with_workers_for_stored_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected --workers with --frames alone, got 4 with --features"):
        recalibrate(RecalibrationOptions(tmp_path / "monitor", features=(tmp_path / "features",), workers=4))
