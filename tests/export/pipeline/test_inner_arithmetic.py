# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation that stand in a network's code, not among its weights, are found by watching it run."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint.load import Checkpoint
from export.pipeline.inner_arithmetic import InputArithmetic, input_arithmetic
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from tests.export.pipeline.told_reporter import ToldReporter

FRAMES: Any = SimpleNamespace(shape=(12, 16, 3))
THREE = st.tuples(*[st.floats(0.05, 0.95)] * 3)
First = Callable[[Tensor, Tensor, Tensor], Tensor]


class Computes(nn.Module):
    """Does ``first`` with its input, a mean and a deviation that are no part of its state, before its first layer."""

    def __init__(self, first: First, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.first, self.constants = first, (mean, std)
        self.net = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1))
        self.gain = nn.Parameter(torch.full((1,), 0.7))

    def forward(self, x: Tensor) -> Tensor:
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in self.constants)
        y: Tensor = self.net(self.first(x, mean, std))
        return y


def in_place(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return x.clone().sub_(mean[0]).div_(std[0])


NORMALISES: dict[str, tuple[First, float]] = {
    "as usual": (lambda x, mean, std: (x - mean) / std, 1),
    "as torchvision, in place": (in_place, 1),
    "by factors": (lambda x, mean, std: x * (1 / std) - mean / std, 1),
    "turned round": (lambda x, mean, std: -(mean - x) / std, 1),
    "in grey levels": (lambda x, mean, std: (x / 255 - mean) / std, 255),
    "in grey levels, otherwise": (lambda x, mean, std: (x - 255 * mean) / (std * 255), 255),
    "resizes and pads first": (lambda x, mean, std: (F.pad(F.interpolate(x, size=(9, 11)), (0, 5)) - mean) / std, 1),
}
DOES_NOT: dict[str, First] = {
    "as it is": lambda x, *_: x,
    "by the picture's own": lambda x, *_: (x - x.mean()) / x.std(),
    "by the picture's own channels": lambda x, *_: x - x.mean(dim=(2, 3), keepdim=True),
    "in other channels": lambda x, mean, std: torch.cat([(x[:, :1] - mean[:, :1]) / std[:, :1], x[:, 1:]], 1),
    "a picture of constants": lambda x, *_: x - torch.linspace(0, 1, 16).view(1, 1, 1, 16),
    "squares": lambda x, *_: x * x,
    "adds a gate": lambda x, *_: x + x.flip(1).sigmoid(),
}
OTHERWISE: dict[str, First] = {
    "undoes it": lambda x, mean, std: x * std / 4 + 1 + mean,
    "makes a negative": lambda x, *_: 1 - x,
    "makes it brighter": lambda x, *_: 2.5 * x,
    "takes nothing of it": lambda x, *_: 0 * x,
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(NORMALISES)), THREE, st.tuples(*[st.floats(0.05, 0.9)] * 3))
def test_input_arithmetic_in_any_spelling_has_its_mean_and_deviation(
    spelling: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    first, white = NORMALISES[spelling]
    image = torch.rand(1, 3, 12, 16)
    before = image.clone()
    found = input_arithmetic(Computes(first, mean, std).eval(), image)
    assert found is not None
    assert found.white == white
    assert found.mean == pytest.approx([white * value for value in mean], rel=1e-5)
    assert found.std == pytest.approx([white * value for value in std], rel=1e-5)
    assert torch.equal(image, before)


@pytest.mark.parametrize("kind", [*DOES_NOT, *OTHERWISE])
def test_input_arithmetic_of_another_kind_is_no_normalisation(kind: str) -> None:
    first = (DOES_NOT | OTHERWISE)[kind]
    found = input_arithmetic(Computes(first, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)).eval(), torch.rand(1, 3, 12, 16))
    assert found is None or (kind in OTHERWISE and found.white is None)


def test_input_arithmetic_of_a_learned_first_step_is_no_normalisation() -> None:
    class Learned(Computes):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net(self.gain * x)
            return y

    found = input_arithmetic(Learned(lambda x, *_: x, (), ()).eval(), torch.rand(1, 3, 12, 16))
    assert found is not None
    assert found.white is None


def test_input_arithmetic_in_a_scripted_network_is_found_or_left_alone() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net((x - 0.45) / 0.225)
            return y

    scripted = torch.jit.script(Plain().eval())
    found = input_arithmetic(scripted, torch.rand(1, 3, 12, 16))
    assert found is None or found.white == 1


@pytest.mark.parametrize(
    ("arithmetic", "text"),
    [
        (InputArithmetic((0.45,) * 3, (0.225,) * 3), "(x - 0.45) / 0.225"),
        (InputArithmetic((0.0,) * 3, (255.0,) * 3), "x / 255"),
        (InputArithmetic((0.4, 0.5, 0.6), (0.2, 0.2, 0.2)), "(x - [0.4 0.5 0.6]) / 0.2"),
    ],
)
def test_input_arithmetic_as_text_is_a_formula(arithmetic: InputArithmetic, text: str) -> None:
    assert str(arithmetic) == text


def resolved(first: First, **flags: Any) -> tuple[Any, ToldReporter]:
    reporter = ToldReporter()
    network = Computes(first, (0.45,) * 3, (0.225,) * 3).eval()
    options = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **flags)
    return resolve_preprocessing(options, Checkpoint(network, {}, Path("x.ckpt")), FRAMES, reporter), reporter


def test_resolve_preprocessing_of_constants_in_the_code_warns_of_flags_that_normalise_again() -> None:
    first = NORMALISES["as usual"][0]
    flags = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    _, reporter = resolved(first, **flags)
    (line,) = [line for line in reporter.lines if "twice" in line]
    assert line == (
        "warning: the network normalises its input itself (its code computes (x - 0.45) / 0.225 of its input x first), "
        "which makes it twice: --mean 0 0 0 --std 1 1 1 makes it once"
    )
    assert "twice" in reporter.findings["mean and deviation"].reason
    _, reporter = resolved(first, mean=(0, 0, 0), std=(1, 1, 1))  # the remedy
    assert not [line for line in reporter.lines if "twice" in line]


@pytest.mark.parametrize(("spelling", "std"), [("as usual", 1), ("in grey levels", 1 / 255)])
def test_resolve_preprocessing_of_constants_in_the_code_without_flags_hands_over_frames_as_they_are(
    spelling: str, std: float
) -> None:
    preprocessing, reporter = resolved(NORMALISES[spelling][0])
    assert preprocessing.mean == (0, 0, 0)
    assert preprocessing.std == pytest.approx((std,) * 3)
    assert reporter.findings["mean and deviation"].origin == "guessed"
