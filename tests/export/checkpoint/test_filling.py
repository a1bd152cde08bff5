# SPDX-License-Identifier: Apache-2.0
"""Weights in every container, under every prefix and wrapper: judged by torch, against torch's own load of the plain dict."""

import re
import shlex
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from export.checkpoint.load import load_checkpoint
from export.errors import CheckpointError
from export.findings import Finding
from tests.export.pipeline.told_reporter import ToldReporter

HERE = "tests.export.checkpoint.test_filling"
NAMES = st.sampled_from(
    ["model", "net", "module", "_orig_mod", "network", "ema", "state", "backbone", "head", "0", "élan"]
)


class Brought(nn.Module):
    """Batch statistics, a tied weight and a parametrised one: what state dicts of old and new torch name differently."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, width, 3, bias=False), nn.BatchNorm2d(width))
        self.normed = weight_norm(nn.Conv2d(width, width, 1))
        self.head, self.tied = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.tied.weight = self.head.weight

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.tied(self.normed(self.encoder(x)))
        logits: Tensor = self.head(inner)
        return logits


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


class Unshaped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LazyConv2d(2, 1), nn.LazyBatchNorm2d())


class WithLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.criterion = Brought(), nn.CrossEntropyLoss()


class Compiled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.compile(Brought())


def weights_of(network: nn.Module, seed: int = 0) -> "OrderedDict[str, Tensor]":
    """A state dict of other weights than the network's own."""
    generator = torch.Generator().manual_seed(seed)
    state: OrderedDict[str, Tensor] = OrderedDict(network.state_dict())
    for name, value in state.items():
        if value.is_floating_point():
            state[name] = (
                state["head.weight"] if name == "tied.weight" else torch.rand(value.shape, generator=generator)
            )
    return state


def load(contents: object, folder: Path, name: str = "Brought", **options: Any) -> tuple[nn.Module, list[Finding]]:
    torch.save(contents, folder / "some.pt")
    told = ToldReporter()
    loaded = load_checkpoint(folder / "some.pt", f"{HERE}:{name}", reporter=told, **options)
    return loaded.network, told.told


def assert_same(network: nn.Module, state: "OrderedDict[str, Tensor]") -> None:
    """Check against a network that torch itself fills, bit for bit."""
    oracle = Brought()
    oracle.load_state_dict(state)
    found, wanted = network.state_dict(), oracle.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    containers=st.lists(st.sampled_from(["state_dict", "model", "model_state", "ema", "x.y"]), max_size=2),
    prefixes=st.lists(NAMES, max_size=3),
    wrapped=st.sampled_from([None, "encoder", "head", "normed"]),
    wrapper=st.sampled_from(["_orig_mod", "module"]),
    outside=st.dictionaries(st.sampled_from(["loss.weight", "teacher.x", "steps"]), st.just(torch.ones(2)), max_size=2),
    beside=st.dictionaries(
        st.sampled_from(["epoch", "optimizer", "best"]), st.just({"state": {0: {"m": torch.ones(1)}}})
    ),
)
def test_load_checkpoint_of_any_container_prefix_and_wrapper_gives_the_plain_weights(
    containers: list[str],
    prefixes: list[str],
    wrapped: str | None,
    wrapper: str,
    outside: dict[str, Tensor],
    beside: dict[str, object],
    tmp_path: Path,
) -> None:
    state = weights_of(Brought(), seed=len(prefixes))
    prefix = "".join(f"{name}." for name in prefixes)
    renamed: OrderedDict[str, object] = OrderedDict()
    for name, value in state.items():
        head, _, rest = name.partition(".")
        renamed[prefix + (f"{head}.{wrapper}.{rest}" if head == wrapped else name)] = value
    contents: dict[str, object] = dict(renamed)
    if prefix:
        contents |= outside
    for key in reversed(containers):
        contents = {**beside, key: contents}
    network, findings = load(contents, tmp_path)
    assert_same(network, state)
    values = " ".join(finding.value for finding in findings)
    assert (f"key {'.'.join(containers)}" in values) == (containers not in ([], ["state_dict"]))
    if prefix and wrapped is None and not {"_orig_mod", "module"} & {*prefixes}:
        assert f"prefix {prefix}" in values
        assert all(name in " ".join(finding.reason for finding in findings) for name in list(outside)[:1])


def test_load_checkpoint_of_versions_behind_a_prefix_keeps_them(tmp_path: Path) -> None:
    """Batch statistics of version 2 must have their count; without a version torch takes the network's own."""
    state = Brought().state_dict()
    assert state["encoder.1.num_batches_tracked"] == 0
    renamed = OrderedDict((f"model.{name}", value) for name, value in state.items() if "num_batches" not in name)
    assert_same(load(dict(renamed), tmp_path)[0], state)  # type: ignore[arg-type]
    versions = {f"model.{name}" if name else "model": value for name, value in state._metadata.items()}  # type: ignore[attr-defined]
    renamed._metadata = versions  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match=r"1 missing, the first is encoder\.1\.num_batches_tracked"):
        load(renamed, tmp_path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(max_size=4), names=st.lists(st.text(max_size=6), max_size=3), nested=st.booleans())
def test_load_checkpoint_of_any_names_is_right_or_refused_in_one_line(
    tmp_path: Path, key: str, names: list[str], nested: bool
) -> None:
    state = weights_of(Brought())
    entries = {**{name: torch.ones(1) for name in names}, **state}
    contents = {key: entries, "other": {key: names}} if nested else entries
    if set(names) - set(state):
        with pytest.raises(CheckpointError, match="unexpected, the first is ") as caught:
            load(contents, tmp_path)
        assert str(caught.value).isprintable()
    else:
        network, findings = load(contents, tmp_path)
        assert_same(network, state)
        assert all(finding.sentence.isprintable() for finding in findings)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_load_checkpoint_of_old_names_of_weight_norm_takes_them(prefix: str, tmp_path: Path) -> None:
    state = weights_of(Brought())
    old = {"normed.parametrizations.weight.original0": "normed.weight_g"}
    old |= {"normed.parametrizations.weight.original1": "normed.weight_v"}
    assert {*old} < {*state}
    assert_same(load({prefix + old.get(name, name): value for name, value in state.items()}, tmp_path)[0], state)


def test_load_checkpoint_without_one_name_of_a_tied_weight_takes_the_other(tmp_path: Path) -> None:
    state = weights_of(Brought())
    for name in ("tied.weight", "head.weight"):
        assert_same(load({key: value for key, value in state.items() if key != name}, tmp_path)[0], state)
    with pytest.raises(CheckpointError, match=r"1 missing, the first is tied\.bias"):
        load({key: value for key, value in state.items() if key != "tied.bias"}, tmp_path)


def test_load_checkpoint_of_layers_that_take_their_shape_from_the_weights_fills_them(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    for contents in (module.state_dict(), {f"model.{name}": value for name, value in module.state_dict().items()}):
        network, _ = load(contents, tmp_path, "Unshaped")
        assert all(
            torch.equal(value, network.state_dict()[f"layers.{name}"]) for name, value in module.state_dict().items()
        )
    with pytest.raises(CheckpointError, match=r"missing, the first is layers\.0\.bias"):
        load({name: value for name, value in module.state_dict().items() if name != "0.bias"}, tmp_path, "Unshaped")


def test_load_checkpoint_of_a_sparse_tensor_is_refused(tmp_path: Path) -> None:
    state = weights_of(Brought())
    with pytest.raises(CheckpointError, match="another network's: "):
        load({**state, "head.weight": state["head.weight"].to_sparse()}, tmp_path)


def test_load_checkpoint_of_the_network_within_the_named_one_takes_it(tmp_path: Path) -> None:
    state = weights_of(Brought())
    for name in ("WithLoss", "Compiled"):
        network, findings = load(state, tmp_path, name)
        inner = network.net
        assert isinstance(inner, nn.Module)
        assert_same(getattr(inner, "_orig_mod", inner), state)
        assert any(finding.value.startswith("names below net.") for finding in findings)


def test_load_checkpoint_with_weights_of_a_loss_leaves_them_out(tmp_path: Path) -> None:
    state = weights_of(Brought())
    whole = {f"net.{name}": value for name, value in state.items()}
    network, findings = load(whole | {"criterion.weight": torch.ones(3), "net.steps": 7}, tmp_path, "WithLoss")
    assert_same(network.net, state)  # type: ignore[arg-type]
    assert "without net.steps and 1 more" in [finding.value for finding in findings]
    with pytest.raises(CheckpointError, match=r"1 unexpected, the first is net\.scale"):
        load(whole | {"net.scale": torch.ones(3)}, tmp_path, "WithLoss")


@pytest.mark.parametrize("number", [torch.float16, torch.bfloat16, torch.float64])
def test_load_checkpoint_of_other_floating_numbers_makes_them_float32(number: torch.dtype, tmp_path: Path) -> None:
    state = weights_of(Brought())
    kept = {name: value.to(number) if value.is_floating_point() else value for name, value in state.items()}
    network, findings = load(kept, tmp_path)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert_same(network, OrderedDict((name, value.to(state[name].dtype)) for name, value in kept.items()))
    name = str(number).removeprefix("torch.")
    assert f"{len(state) - 1} of {len(state)} entries are kept as {name}" in [finding.reason for finding in findings]


@pytest.mark.parametrize("number", [torch.int8, torch.bool, torch.complex64])
def test_load_checkpoint_of_numbers_that_are_no_weights_is_refused(number: torch.dtype, tmp_path: Path) -> None:
    state = weights_of(Brought())
    with pytest.raises(CheckpointError, match=r"head\.weight is .* where the network has float32"):
        load({**state, "head.weight": state["head.weight"].to(number)}, tmp_path)


def commands(error: CheckpointError) -> list[dict[str, str]]:
    """The flags that a message offers, as options of ``load_checkpoint``."""
    offered = str(error).rpartition("choose by ")[2]
    words = [shlex.split(each) for each in offered.split(" or ")]
    return [{flag.removeprefix("--"): value for flag, value in zip(w[::2], w[1::2], strict=True)} for w in words]


@pytest.mark.parametrize(
    "arrange",
    [
        lambda one, other: {"model": one, "ema": other},
        lambda one, other: {"state_dict": one, "state_dict_ema": {f"module.{k}": v for k, v in other.items()}},
        lambda one, other: {f"student.{k}": v for k, v in one.items()} | {f"teacher.{k}": v for k, v in other.items()},
        lambda one, other: {
            "state_dict": {f"net.{k}": v for k, v in one.items()} | {f"ema.module.{k}": v for k, v in other.items()}
        },
    ],
)
def test_load_checkpoint_with_two_that_fit_is_refused_and_each_offered_choice_works(
    arrange: Any, tmp_path: Path
) -> None:
    states = [weights_of(Brought(), seed) for seed in (1, 2)]
    with pytest.raises(CheckpointError, match="has 2 that differ: choose by --") as caught:
        load(arrange(*states), tmp_path)
    assert caught.value.words in (("--key", "VALUE"), ("--prefix", "VALUE"))
    offered = commands(caught.value)
    assert len(offered) == 2
    for options, state in zip(offered, states, strict=True):
        assert_same(load(arrange(*states), tmp_path, **options)[0], state)
    same = load(arrange(states[0], states[0]), tmp_path)[0]
    assert_same(same, states[0])


def test_load_checkpoint_of_two_layers_alike_takes_the_name_itself(tmp_path: Path) -> None:
    """The network's own names go before those behind a prefix."""
    state = weights_of(Brought(), 1)
    other = weights_of(Brought(), 2)
    contents = {**state, **{f"old.{name}": value for name, value in other.items()}}
    with pytest.raises(CheckpointError, match=r"unexpected, the first is old\.encoder"):
        load(contents, tmp_path)
    assert_same(load(contents, tmp_path, prefix="old")[0], other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "modle"}, "expected a state dict under --key modle, found none: the file has model, deep.er"),
        ({"prefix": "net"}, r"expected names that begin with --prefix net\., found none: they begin with model\."),
        ({"key": "deep.er"}, "missing, the first is encoder.0.weight"),
    ],
)
def test_load_checkpoint_with_a_key_or_prefix_that_is_not_there_names_those_that_are(
    options: dict[str, str], message: str, tmp_path: Path
) -> None:
    contents = {
        "model": {f"model.{k}": v for k, v in weights_of(Brought()).items()},
        "deep": {"er": {"w": torch.ones(1)}},
    }
    with pytest.raises(CheckpointError, match=message):
        load(contents, tmp_path, **options)


def test_load_checkpoint_of_weights_behind_a_prefix_with_another_shape_names_it(tmp_path: Path) -> None:
    wider = {f"model.{name}": value for name, value in weights_of(Brought(width=4)).items()}
    with pytest.raises(CheckpointError, match=re.escape("size mismatch for encoder.0.weight")):
        load(wider, tmp_path)


def test_load_checkpoint_of_a_pickled_network_needs_trust_and_no_class(tmp_path: Path) -> None:
    network, other = Plain(), Plain()
    torch.save({"model": network, "ema": other, "state": network.state_dict()}, tmp_path / "two.pt")
    with pytest.raises(CheckpointError, match="has 2 that differ: choose by --key model or --key ema"):
        load_checkpoint(tmp_path / "two.pt", trust=True)
    chosen = load_checkpoint(tmp_path / "two.pt", key="ema", trust=True).network.state_dict()
    assert all(torch.equal(value, chosen[name]) for name, value in other.state_dict().items())
    for contents in (network, {"model": network, "epoch": 1}, nn.DataParallel(network), network.half()):
        torch.save(contents, tmp_path / "whole.pt")
        with pytest.raises(
            CheckpointError, match=r"tests\.export\.checkpoint\.test_filling\.Plain.*--trust-checkpoint"
        ):
            load_checkpoint(tmp_path / "whole.pt")
        loaded = load_checkpoint(tmp_path / "whole.pt", trust=True)
        assert type(loaded.network) is Plain
        named = load_checkpoint(tmp_path / "whole.pt", f"{HERE}:Plain", trust=True)
        for each in (loaded.network, named.network):
            assert all(torch.equal(v.float(), each.state_dict()[k]) for k, v in network.state_dict().items())
