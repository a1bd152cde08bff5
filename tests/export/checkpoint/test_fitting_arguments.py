# SPDX-License-Identifier: Apache-2.0
"""Arguments of a constructor from the shapes of its weights."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from export.checkpoint import fitting_arguments as module
from export.checkpoint.fitting_arguments import fitting_arguments, with_fitting_arguments, with_other_arguments
from export.errors import CheckpointError


class Encoder(nn.Module):
    """A small encoder-decoder; ``unused`` is an argument of which no weight tells."""

    def __init__(self, channels: int, classes: int, width: int = 4, depth: int = 2, unused: int = 0) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        pairs = zip([channels, *widths], widths, strict=False)
        self.down = nn.Sequential(*(nn.Sequential(nn.Conv2d(i, o, 3), nn.BatchNorm2d(o)) for i, o in pairs))
        self.head = nn.Conv2d(widths[-1], classes, 1)
        self.unused = unused


def shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in network.state_dict().values()]


def build(arguments: Mapping[str, int], **known: int) -> nn.Module:
    try:
        return Encoder(**known, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError("expected something else") from error


@settings(max_examples=40, deadline=None)
@given(
    truth=st.fixed_dictionaries(
        {
            "channels": st.sampled_from([1, 3, 4, 6]),
            "classes": st.integers(1, 40),
            "width": st.integers(2, 24),
            "depth": st.integers(1, 3),
        }
    ),
    missing=st.sets(st.sampled_from(["channels", "classes", "width"]), min_size=1),
)
def test_fitting_arguments_of_any_network_are_those_it_was_built_with(truth: dict[str, int], missing: set[str]) -> None:
    known = {name: value for name, value in truth.items() if name not in missing}
    wanted = shapes(Encoder(**truth))
    got = fitting_arguments(sorted(missing), lambda arguments: build(arguments, **known), wanted)
    assert got == {name: truth[name] for name in missing}


def test_fitting_arguments_do_not_name_one_of_which_no_weight_tells() -> None:
    got = fitting_arguments(["classes", "unused"], lambda given: build(given, channels=3), shapes(Encoder(3, 7)))
    assert got == {"classes": 7}


def test_fitting_arguments_do_not_name_a_network_that_is_part_of_a_larger_one() -> None:
    wanted = shapes(Encoder(3, 7, width=4, depth=2))
    assert fitting_arguments(["depth"], lambda given: build(given, channels=3, classes=7), wanted) == {}


@pytest.mark.parametrize("extra", [[], [(7,)], [(1,), (3, 3)]])
def test_fitting_arguments_bear_entries_that_are_not_the_networks(extra: list[tuple[int, ...]]) -> None:
    wanted = [*shapes(Encoder(3, 9)), *extra]
    assert fitting_arguments(["channels", "classes"], build, wanted) == {"channels": 3, "classes": 9}


def test_fitting_arguments_of_weights_of_another_network_are_none() -> None:
    assert fitting_arguments(["channels", "classes"], build, shapes(nn.Linear(3, 4))) == {}
    assert fitting_arguments(["channels", "classes"], build, []) == {}
    assert fitting_arguments([], build, shapes(Encoder(3, 9))) == {}


def test_fitting_arguments_of_a_constructor_that_takes_text_are_none() -> None:
    def refuse(given: Mapping[str, Any]) -> nn.Module:
        raise CheckpointError(f"expected a name, got {given}")

    assert fitting_arguments(["encoder"], refuse, shapes(Encoder(3, 9))) == {}


def test_fitting_arguments_take_neither_memory_nor_random_numbers() -> None:
    built: list[nn.Module] = []

    def keep(given: Mapping[str, int]) -> nn.Module:
        built.append(build(given))
        return built[-1]

    wanted = shapes(Encoder(3, 9))
    state = torch.get_rng_state()
    fitting_arguments(["channels", "classes"], keep, wanted)
    assert {parameter.device.type for network in built for parameter in network.parameters()} == {"meta"}
    assert torch.equal(torch.get_rng_state(), state)


def test_fitting_arguments_where_time_is_up_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", -1.0)
    assert fitting_arguments(["channels", "classes"], build, shapes(Encoder(3, 9))) == {}


def test_with_fitting_arguments_completes_the_words_of_an_error() -> None:
    wanted = shapes(Encoder(3, 7))
    error = CheckpointError("expected classes", words=["--model-arg", "classes=VALUE", "unused=VALUE"])
    got = with_fitting_arguments(error, lambda given: build(given, channels=3), wanted)
    assert got.words == ("--model-arg", "classes=7", "unused=VALUE")
    assert str(got) == "expected classes; the shapes of its weights are those of classes=7"
    other = CheckpointError("expected --key", words=["--key", "VALUE"])
    assert with_fitting_arguments(other, build, wanted) is other


@settings(max_examples=40, deadline=None)
@given(
    truth=st.fixed_dictionaries({"classes": st.integers(1, 30), "width": st.integers(2, 24), "unused": st.just(0)}),
    defaults=st.fixed_dictionaries({"classes": st.integers(1, 30), "width": st.integers(2, 24), "unused": st.just(0)}),
)
def test_with_other_arguments_names_those_of_any_network_that_are_not_the_default(
    truth: dict[str, int], defaults: dict[str, int]
) -> None:
    error = CheckpointError("expected weights of Encoder")
    got = with_other_arguments(error, lambda more: build(more, channels=3), defaults, shapes(Encoder(3, **truth)))
    other = [f"{name}={value}" for name, value in truth.items() if value != defaults[name]]
    assert set(got.words) == {*(["--model-arg", *other] if other else [])}
    assert all(word in str(got) for word in other)
    assert (got is error) == (not other)
