# SPDX-License-Identifier: Apache-2.0
"""Which tensor of a network's output is taken: by name, as the only one, by --output; and which are refused."""

import re
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from export.bundle.output_reference import reference_output
from export.checkpoint.choose_output import choose_output
from export.checkpoint.chosen_output import ChosenOutput, output_choice, whole_network
from export.checkpoint.returned import find_part, returned_tensors, take
from export.errors import ConversionError
from tests.networks import ColourClasses, settled
from tests.returning_networks import (
    RETURNED,
    FromBatch,
    Inner,
    OnlyPart,
    Returning,
    Squeezed,
    SqueezedInDict,
    WithLabels,
    WithoutForward,
)

X = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
TWO = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(2))

TAKEN = {
    "dict": ("out", "by its name"),
    "ordered": ("out", "by its name"),
    "library": ("logits", "by its name"),
    "tuple of one": ("0", "the only tensor"),
    "list with features": ("1", "the only (B, K, h, w)"),
    "data class": ("logits", "the only tensor"),
    "nested": ("out.0.logits", "by its name"),
}
"""Containers in which nothing has to be said, the tensor that is taken, and why."""


def made(network_class: Callable[..., nn.Module], *arguments: object) -> nn.Module:
    torch.manual_seed(4)
    return settled(network_class(*arguments))


def logits(x: Tensor) -> Tensor:
    output: Tensor = made(ColourClasses)(x)
    return output


@pytest.mark.parametrize("container", TAKEN)
def test_choose_output_of_a_container_with_one_segmentation_takes_it_and_says_why(container: str) -> None:
    found = choose_output(made(Returning, container), X, "classes")
    label, why = TAKEN[container]
    assert found.logits_shape == (3, 16, 24)
    (finding,) = found.findings
    assert (finding.subject, finding.value, finding.words) == ("output", f"{label} (1, 3, 16, 24)", ("--output", label))
    assert finding.reason.startswith(why)
    assert finding.origin == ("found" if why == "the only tensor" else "guessed")
    again = choose_output(made(Returning, container), X, "classes", output=finding.words[1])
    assert output_choice(again.network) == output_choice(found.network)
    torch.testing.assert_close(found.network(TWO), logits(TWO))
    torch.testing.assert_close(reference_output(found.network, TWO), logits(TWO))


def test_choose_output_of_one_tensor_leaves_the_network_as_it_is() -> None:
    network = made(ColourClasses)
    found = choose_output(network, X, "classes")
    assert found.network is network
    assert found.findings[0].words == ()


@pytest.mark.parametrize(
    ("container", "listed", "way"),
    [
        ("tuple", "0 (1, 3, 16, 24), 1 (1, 3, 16, 24)", "1"),
        ("list", "0 (1, 3, 16, 24), 1 (1, 3, 16, 24)", "1"),
        ("named tuple", "segmentation (1, 3, 16, 24), auxiliary (1, 3, 16, 24)", "segmentation"),
        ("names unknown", "main.0 (1, 3, 16, 24), main.1 (), aux (1, 3, 16, 24)", "main.0"),
        ("queries", "masks (1, 3, 16, 24), classes (1, 3, 6)", "masks"),
    ],
)
def test_choose_output_of_several_is_refused_with_flags_that_work(container: str, listed: str, way: str) -> None:
    network = made(Returning, container)
    with pytest.raises(ConversionError) as caught:
        choose_output(network, X, "classes")
    message = str(caught.value)
    assert listed in message
    ways = [words.split()[0].rstrip(",") for words in message.split("--output ")[1:]]
    assert way in ways
    for one in ways:
        found = choose_output(network, X, "classes", output=one)
        expected = logits(TWO) if one == way else -logits(TWO)
        torch.testing.assert_close(found.network(TWO), expected)
        torch.testing.assert_close(reference_output(found.network, TWO), expected)


@pytest.mark.parametrize("kind", ["classes", "logits"])
@pytest.mark.parametrize(
    ("container", "output", "message"),
    [
        ("class ids", None, r"out \(1, 16, 24\) int64, aux \(1, 3, 16, 24\): wrap it"),
        ("class ids", "out", "class ids and have no scores"),
        ("custom", None, "it returned Custom without any"),
        ("nothing", None, "it returned NoneType without any"),
        ("dict", "main", "an output main of Returning, it returned aux .* give --output aux or --output out"),
        ("tuple", "2", "an output 2 of Returning, it returned 0 .* give --output 0 or --output 1"),
        ("nested", "aux.1", "an output aux.1 of Returning"),
        ("tensor", "0", "leave --output out"),
    ],
)
def test_choose_output_that_is_no_segmentation_is_refused(
    container: str, output: str | None, message: str, kind: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        choose_output(made(Returning, container), X, kind, output=output)


def test_choose_output_of_a_container_in_a_container_takes_what_is_in_it() -> None:
    found = choose_output(made(Returning, "nested"), X, "classes", output="out")
    assert output_choice(found.network).names == ("out", "0", "logits")


@pytest.mark.parametrize("container", RETURNED)
def test_choose_output_for_no_segmentation_accepts_everything(container: str) -> None:
    found = choose_output(made(Returning, container), X, "none")
    assert found.logits_shape is None
    assert isinstance(found.network(X), Tensor if container == "tensor" else tuple)


@pytest.mark.parametrize("network_class", [Squeezed, SqueezedInDict])
def test_choose_output_without_a_channel_is_one_of_a_binary_segmentation(network_class: type[nn.Module]) -> None:
    network = made(network_class)
    found = choose_output(network, X, "binary")
    y = logits(TWO)
    assert found.logits_shape == (2, 16, 24)
    assert "squeezed" in found.findings[0].reason
    torch.testing.assert_close(found.network(TWO), (y[:, 2] - y[:, 0])[:, None])
    torch.testing.assert_close(reference_output(found.network, TWO), found.network(TWO))


@pytest.mark.parametrize("network_class", [Squeezed, SqueezedInDict])
def test_choose_output_without_a_channel_for_classes_names_the_flag(network_class: type[nn.Module]) -> None:
    with pytest.raises(ConversionError, match="give --segmentation binary") as caught:
        choose_output(made(network_class), X, "classes")
    assert caught.value.words == ("--segmentation", "binary")


@pytest.mark.parametrize(
    ("network_class", "message", "ways"),
    [
        (WithoutForward, "it defines no forward", ["encode_decode", "model", "loss"]),
        (WithLabels, r"its forward takes \(images, masks\)", ["encode_decode", "model", "loss"]),
        (FromBatch, "it raised", ["encode_decode", "model", "loss"]),
    ],
)
def test_choose_output_without_a_usable_forward_names_methods_and_parts_that_work(
    network_class: type[nn.Module], message: str, ways: list[str]
) -> None:
    network = made(network_class)
    with pytest.raises(ConversionError, match=message) as caught:
        choose_output(network, X, "classes")
    named = [words.split()[0].rstrip(",") for words in str(caught.value).split("--method ")[1:]]
    assert named == ways
    for method in named:
        found = choose_output(network, X, "classes", method=method)
        wanted = network.get_submodule("loss") if method == "loss" else network.get_submodule("model")
        torch.testing.assert_close(found.network(TWO), wanted(TWO))
        torch.testing.assert_close(reference_output(found.network, TWO), wanted(TWO))


def test_choose_output_of_a_method_that_calls_the_module_takes_what_the_method_returns() -> None:
    found = choose_output(made(Inner), X, "classes", method="predict")
    torch.testing.assert_close(found.network(TWO), logits(TWO))
    torch.testing.assert_close(reference_output(found.network, TWO), logits(TWO))


def test_choose_output_of_a_network_in_one_part_has_the_words_that_call_it() -> None:
    network = made(OnlyPart)
    with pytest.raises(ConversionError) as caught:
        choose_output(network, X, "classes")
    assert caught.value.words == ("--method", "model")
    torch.testing.assert_close(choose_output(network, X, "classes", method="model").network(TWO), logits(TWO))


@pytest.mark.parametrize("method", ["predct", "container", "model.nowhere"])
def test_choose_output_of_an_unknown_method_names_the_others(method: str) -> None:
    with pytest.raises(
        ConversionError, match=f"a method or a part {method} of Inner, found none: give --method predict"
    ):
        choose_output(made(Inner), X, "classes", method=method)


def test_chosen_output_has_the_layers_and_weights_of_the_network_under_their_names() -> None:
    network = made(Returning, "dict")
    chosen = choose_output(network, X, "classes").network
    assert isinstance(chosen, ChosenOutput)
    assert whole_network(chosen) is network
    assert dict(chosen.named_modules())["head"] is network.get_submodule("head")
    assert [name for name, _ in chosen.named_modules()] == [name for name, _ in network.named_modules()]
    assert chosen.state_dict().keys() == network.state_dict().keys()
    chosen.train()
    assert all(module.training for module in network.modules())
    chosen.eval()
    assert not any(module.training for module in network.modules())
    assert "forward" not in vars(network)


class Heads(nn.Module):
    """Returns tensors of given numbers of channels by name, each filled with another value."""

    def __init__(self, channels: dict[str, int]) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        values = enumerate(self.channels.items())
        return {name: torch.full((len(x), count, *x.shape[2:]), float(i)) for i, (name, count) in values}


rival_names = st.sampled_from(["semseg", "seg", "depth", "main", "instances", "pred"])
usual_names = st.sampled_from(["out", "logits"])
beside_names = st.sampled_from(["aux", "aux_out", "auxiliary", "deep_supervision", "aux_logits", "hidden_states"])
counts = st.integers(1, 14)
kinds = st.sampled_from(["classes", "binary", "logits"])


@given(usual_names, rival_names, counts, counts, kinds)
def test_choose_output_of_a_usual_name_beside_another_that_could_be_it_is_refused_with_flags_that_work(
    usual: str, rival: str, count: int, rival_count: int, kind: str
) -> None:
    network = Heads({rival: rival_count, usual: count})
    if kind != "binary" and count > 1 and rival_count == 1:
        assert output_choice(choose_output(network, X, kind).network).names == (usual,)
        return
    with pytest.raises(ConversionError) as caught:
        choose_output(network, X, kind)
    message = str(caught.value)
    assert caught.value.words[0] == "--output"
    for name, channels in network.channels.items():
        assert f"{name} (1, {channels}, 16, 24)" in message
    ways = dict(re.findall(r"--output (\S+?)(?: --segmentation (\w+))?(?=,| or)", message))
    assert ways.keys() == network.channels.keys()
    for way, stated in ways.items():
        assert output_choice(choose_output(network, X, stated or kind, output=way).network).names == (way,)


@given(usual_names, beside_names, st.integers(2, 14), counts)
def test_choose_output_of_a_usual_name_beside_an_auxiliary_one_takes_it(
    usual: str, beside: str, count: int, beside_count: int
) -> None:
    found = choose_output(Heads({beside: beside_count, usual: count}), X, "classes")
    assert output_choice(found.network).names == (usual,)


def test_choose_output_of_squeezed_depth_named_out_beside_classes_is_refused_with_the_other() -> None:
    class Depth(Heads):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"out": x[:, 0], **super().forward(x)}

    for kind in ("classes", "binary"):
        with pytest.raises(ConversionError, match="--output semseg") as caught:
            choose_output(Depth({"semseg": 12}), X, kind)
        assert caught.value.words[0] == "--output"


def test_choose_output_of_logits_of_queries_does_not_offer_their_masks() -> None:
    class Queries(Heads):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": torch.zeros(len(x), self.channels["pred_masks"], 6), **super().forward(x)}

    with pytest.raises(ConversionError, match="wrap it in a module") as caught:
        choose_output(Queries({"pred_masks": 10}), X, "classes")
    assert "--output" not in caught.value.words


class Shaped(nn.Module):
    """Returns zeros of a shape, whose dimensions are put into another order."""

    def __init__(self, shape: tuple[int, int, int], order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        super().__init__()
        self.shape, self.order = shape, order

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), *self.shape).permute(self.order)


LAST, BACK = (0, 2, 3, 1), (0, 3, 1, 2)


@given(st.integers(32, 160), st.integers(32, 160), st.sampled_from([1, 2, 4, 8]), st.integers(2, 20), st.booleans())
def test_choose_output_of_channels_last_is_refused_and_put_in_order_is_taken(
    height: int, width: int, stride: int, classes: int, up: bool
) -> None:
    rows, columns = (-(-size // stride) if up else size // stride for size in (height, width))
    example = torch.zeros(1, 3, height, width)
    network = Shaped((classes, rows, columns), LAST)
    if columns * width > 2 * classes * height >= 2 * width:  # far from the aspect of the input
        with pytest.raises(ConversionError, match=re.escape("return permute(0, 3, 1, 2)")):
            choose_output(network, example, "classes")
    mended = nn.Sequential(network, Shuffled(BACK))
    assert choose_output(mended, example, "classes").logits_shape == (classes, rows, columns)


class Shuffled(nn.Module):
    """Puts dimensions into another order."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


def test_choose_output_of_twelve_channels_last_is_refused() -> None:
    for count, kind in ((12, "classes"), (12, "logits"), (1, "binary")):
        with pytest.raises(ConversionError, match=re.escape(f"got (B, h, w, K) (1, 64, 96, {count})")):
            choose_output(Shaped((count, 64, 96), LAST), torch.zeros(1, 3, 64, 96), kind)


@pytest.mark.parametrize("shape", [(12, 64, 64), (12, 40, 96), (12, 20, 96), (3, 1, 1), (19, 64, 12), (2, 16, 96)])
def test_choose_output_of_a_map_of_another_aspect_is_taken(shape: tuple[int, int, int]) -> None:
    assert choose_output(Shaped(shape), torch.zeros(1, 3, 64, 96), "classes").logits_shape == shape


keys = st.text("abcdef", min_size=1, max_size=3)
leaves = st.one_of(st.none(), st.integers(), st.builds(lambda n: torch.zeros(1, n), st.integers(1, 5)))
containers = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=8,
)


@given(containers)
def test_returned_tensors_of_any_nesting_are_found_again_by_their_labels(output: object) -> None:
    def count(value: object) -> int:
        if isinstance(value, Tensor):
            return 1
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        return sum(map(count, parts))

    found = list(returned_tensors(output))
    assert len(found) == count(output)
    for item in found:
        assert take(output, item.names) is item.tensor
        if item.names:
            assert find_part(output, item.label) == (item.names, item.tensor)
