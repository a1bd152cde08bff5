# SPDX-License-Identifier: Apache-2.0
"""Preprocessing and DropBlock's constants: the options come first, then the checkpoint, and the rest is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.layers.dropblock import DropBlock2D
from export.models import DeepLabV3PlusModule
from export.pipeline.network_constants import resolve_drop_block, resolve_preprocessing
from export.pipeline.options import ExportOptions
from tests.conftest import small_network

FRAMES: Any = SimpleNamespace(shape=(80, 160, 3))
KNOWN = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.2), "input_size": (40, 80)}


def options(**given: Any) -> ExportOptions:
    return ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **given)


def checkpoint(network: nn.Module, **hyper_parameters: Any) -> Checkpoint:
    return Checkpoint(network, hyper_parameters, Path("x.ckpt"))


def test_resolve_preprocessing_without_options_takes_the_checkpoints_values() -> None:
    found = resolve_preprocessing(options(), checkpoint(nn.Identity(), **KNOWN), FRAMES)
    assert (found.mean, found.std, found.height, found.width) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.2), 40, 80)


def test_resolve_preprocessing_with_options_prefers_them() -> None:
    given = options(mean=(0.1, 0.1, 0.1), std=(1.0, 1.0, 1.0), input_size=(20, 40), crop=(0, 0, 40, 80), channels="bgr")
    found = resolve_preprocessing(given, checkpoint(nn.Identity(), **KNOWN), FRAMES)
    assert (found.mean, found.height, found.crop, found.channels) == ((0.1, 0.1, 0.1), 20, (0, 0, 40, 80), "bgr")


def test_resolve_preprocessing_of_a_network_of_any_size_takes_the_crop() -> None:
    given = options(crop=(8, 0, 64, 128))
    found = resolve_preprocessing(given, checkpoint(nn.Identity(), mean=KNOWN["mean"], std=KNOWN["std"]), FRAMES)
    assert (found.height, found.width) == (64, 128)


@pytest.mark.parametrize(
    ("given", "known", "message"),
    [
        ({}, {}, "--mean and --std"),
        ({"crop": (40, 0, 64, 128)}, KNOWN, "got rows 40 to 104"),
        ({"input_size": (0, 80)}, KNOWN, "at least 1 x 1"),
        ({"resize": "refuse"}, KNOWN, r"input size 40 x 80 \(height x width\), got 80 x 160"),
        ({"std": (0.0, 1.0, 1.0)}, KNOWN, "above zero.*check --mean, --std and --crop"),
        ({"crop": (-1, 0, 64, 128)}, KNOWN, "starts inside the frame"),
    ],
)
def test_resolve_preprocessing_of_values_that_do_not_fit_is_refused(
    given: dict[str, Any], known: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_preprocessing(options(**given), checkpoint(nn.Identity(), **known), FRAMES)


def test_resolve_drop_block_of_one_flag_is_completed_from_the_networks_layer() -> None:
    found = checkpoint(nn.Sequential(DropBlock2D(0.25, 3), DropBlock2D(0.25, 3)))
    assert resolve_drop_block(options(), found) == (None, None)
    assert resolve_drop_block(options(drop_prob=0.5), found) == (0.5, 3)
    assert resolve_drop_block(options(block_size=2), found) == (0.25, 2)
    assert resolve_drop_block(options(drop_prob=0.5, block_size=2), checkpoint(nn.Identity())) == (0.5, 2)


@pytest.mark.parametrize(
    ("network", "given", "message"),
    [
        (nn.Identity(), {"drop_prob": 0.5}, "both or neither"),
        (nn.Sequential(DropBlock2D(0.25, 3), DropBlock2D(0.5, 3)), {"block_size": 2}, "both or neither"),
        (nn.Identity(), {"drop_prob": 1.0, "block_size": 2}, r"in \(0, 1\)"),
        (nn.Identity(), {"drop_prob": 0.5, "block_size": 0}, "got 0.5 and 0"),
    ],
)
def test_resolve_drop_block_of_values_out_of_range_is_refused(
    network: nn.Module, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_drop_block(options(**given), checkpoint(network))


def test_resolve_drop_block_of_the_guides_checkpoint_needs_both_flags() -> None:
    network = small_network()
    assert isinstance(network, DeepLabV3PlusModule)
    with pytest.raises(UsageError, match="does not carry DropBlock's constants"):
        resolve_drop_block(options(drop_prob=0.5), checkpoint(network))
    assert resolve_drop_block(options(drop_prob=0.5, block_size=8), checkpoint(network)) == (0.5, 8)
