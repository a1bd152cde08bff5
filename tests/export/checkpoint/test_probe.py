# SPDX-License-Identifier: Apache-2.0
"""One pass of a user's network, and what its output has to be."""

import pytest
import torch
from torch import Tensor, nn

from export.checkpoint.probe import check_logits, run_once
from export.errors import ConversionError


class Raising(nn.Module):
    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def forward(self, _: Tensor) -> Tensor:
        raise LookupError(self.message)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "no such scale\nmore",
            r"LookupError: no such scale at \S+test_probe\.py:18 \(`raise LookupError\(self\.message\)`\);",
        ),
        ("", "LookupError"),
    ],
)
def test_run_once_of_a_network_that_raises_is_refused_with_its_first_line(message: str, shown: str) -> None:
    with pytest.raises(ConversionError, match=shown) as caught:
        run_once(Raising(message), torch.zeros(1, 3, 4, 5))
    assert "takes (1, 3, 4, 5) float32" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_run_once_of_a_network_gives_its_output() -> None:
    assert run_once(nn.Identity(), torch.ones(1, 3, 2, 2)).shape == (1, 3, 2, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        ([torch.zeros(1, 5, 4, 4)], "classes", "got list"),
        (torch.zeros(1, 5, 4), "logits", r"got \(1, 5, 4\)"),
        (torch.zeros(1, 1, 4, 4), "classes", "got 1 channels: export it with --segmentation binary"),
        (torch.zeros(1, 1, 4, 4), "logits", "got 1 channels: export it with --segmentation binary"),
        (torch.zeros(1, 2, 4, 4), "binary", "got 2: give --segmentation classes"),
        (torch.zeros(1, 257, 4, 4), "classes", "got 257 channels"),
    ],
)
def test_check_logits_of_another_output_is_refused(output: object, kind: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        check_logits(output, kind)


def test_check_logits_of_logits_gives_their_shape() -> None:
    assert check_logits(torch.zeros(2, 256, 4, 6), "classes") == (256, 4, 6)
    assert check_logits(torch.zeros(2, 300, 4, 6), "logits") == (300, 4, 6)
    assert check_logits(torch.zeros(2, 1, 4, 6), "binary") == (2, 4, 6)
    assert check_logits([], "none") is None
