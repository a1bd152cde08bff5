# SPDX-License-Identifier: Apache-2.0
"""Probabilities where logits are expected are recognised, and what is said of an output is checked."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from export.checkpoint.output_form import check_output_form
from export.errors import ConversionError
from export.graphs.output_forms import OutputForm

seeds = st.integers(0, 2**32 - 1)
classes = st.integers(2, 20)
spreads = st.floats(0.3, 20)


def logits(seed: int, channels: int, spread: float) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [spread * torch.randn(1, channels, 5, 6, generator=generator) for _ in range(3)]


@given(seeds, st.integers(1, 20), spreads)
def test_check_output_form_of_logits_takes_them(seed: int, channels: int, spread: float) -> None:
    assert check_output_form(logits(seed, channels, spread), None) == "logits"
    assert check_output_form(logits(seed, channels, spread), "logits") == "logits"


@given(seeds, classes, spreads)
def test_check_output_form_of_a_softmax_names_the_option(seed: int, channels: int, spread: float) -> None:
    found = [output.softmax(1) for output in logits(seed, channels, spread)]
    with pytest.raises(ConversionError, match=r"sum to 1 over the classes .*--network-output probabilities"):
        check_output_form(found, None)
    assert check_output_form(found, "probabilities") == "probabilities"
    assert check_output_form(found, "logits") == "logits"
    with pytest.raises(ConversionError, match="expected log-probabilities"):
        check_output_form(found, "log-probabilities")


@given(seeds, classes, spreads)
def test_check_output_form_of_a_log_softmax_names_the_option(seed: int, channels: int, spread: float) -> None:
    found = [output.log_softmax(1) for output in logits(seed, channels, spread)]
    with pytest.raises(ConversionError, match="--network-output log-probabilities"):
        check_output_form(found, None)
    assert check_output_form(found, "log-probabilities") == "log-probabilities"


@given(seeds, spreads)
def test_check_output_form_of_one_sigmoid_names_the_option(seed: int, spread: float) -> None:
    found = [output.sigmoid() for output in logits(seed, 1, spread)]
    with pytest.raises(ConversionError, match="as a sigmoid's does: give --network-output probabilities"):
        check_output_form(found, None)
    assert check_output_form(found, "probabilities") == "probabilities"


@given(seeds, classes, spreads)
def test_check_output_form_of_independent_sigmoids_is_refused(seed: int, channels: int, spread: float) -> None:
    found = [output.sigmoid() for output in logits(seed, channels, spread)]
    with pytest.raises(ConversionError, match="sigmoids of independent classes"):
        check_output_form(found, None)


@pytest.mark.parametrize("form", ["probabilities", "log-probabilities"])
@given(seeds, classes, spreads)
def test_check_output_form_of_logits_that_are_called_something_else_is_refused(
    form: OutputForm, seed: int, channels: int, spread: float
) -> None:
    with pytest.raises(ConversionError, match=f"expected {form} of the network"):
        check_output_form(logits(seed, channels, spread), form)


def test_check_output_form_of_probabilities_on_some_frames_alone_are_logits() -> None:
    first, *others = logits(0, 4, 2.0)
    assert check_output_form([first.softmax(1), *others], None) == "logits"
