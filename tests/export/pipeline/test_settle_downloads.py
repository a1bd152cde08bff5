# SPDX-License-Identifier: Apache-2.0
"""A constructor that does more than download: the network that was trained is exported, or the user is asked for it."""

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from export.checkpoint.load import load_checkpoint
from export.checkpoint.stood_in_downloads import StandInWeights, stood_in_downloads
from export.errors import CheckpointError
from export.option_table import with_words
from export.pipeline.options import ExportOptions
from export.pipeline.plan import ExportPlan, plan_export
from export.pipeline.settle_downloads import settle_downloads_at
from tests.export.pipeline.told_reporter import ToldReporter

URL = "https://nowhere.invalid/weights.pth"
SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


class Net(nn.Module):
    """Fetches the encoder's weights, as torchvision's and others do; ``normalises`` as its InceptionV3 does."""

    def __init__(self, pretrained: bool = True, normalises: bool = True, classes: int = 4) -> None:
        super().__init__()
        self.shifts = pretrained and normalises
        self.encoder = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        if pretrained:
            weights = load_state_dict_from_url(URL)
            self.encoder.load_state_dict(weights.get("state_dict", weights))
        self.drop, self.head = nn.Dropout2d(0.5), nn.Conv2d(6, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.drop(self.encoder((x - 0.7) / 0.1 if self.shifts else x)))
        return logits


class Module(pl.LightningModule):
    """The same below a LightningModule that keeps its hyper-parameters."""

    def __init__(self, pretrained: bool = True, normalises: bool = True) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = Net(pretrained, normalises)

    def forward(self, x: Tensor) -> Any:
        return self.net(x)


class OtherLayers(Net):
    """Without weights to start from it has a bias that it lacks with them."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__(pretrained, normalises=False)
        self.encoder[0] = nn.Conv2d(3, 6, 3, padding=1, bias=not pretrained)


class Urlopen(Net):
    """Fetches by itself: nothing can stand in for that."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__(pretrained=False)
        if pretrained:
            urllib.request.urlopen(URL)


class Around(nn.Module):
    """Takes the network as an argument."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)


def trained(build: Callable[[], nn.Module]) -> nn.Module:
    with stood_in_downloads():
        network = build()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network.eval()


def saved(network: nn.Module, path: Path, **known: object) -> Path:
    written: dict[str, object] = {"state_dict": network.state_dict()}
    if known:
        written |= {"hyper_parameters": known, "pytorch-lightning_version": "2.0"}
    torch.save(written, path)
    return path


def settled(path: Path, name: str, **arguments: object) -> tuple[nn.Module, ToldReporter]:
    reporter = ToldReporter()
    checkpoint = load_checkpoint(path, f"{__name__}:{name}", arguments, reporter=reporter)
    return settle_downloads_at(SHAPE, checkpoint, reporter).network, reporter


def about_arguments(reporter: ToldReporter) -> list[tuple[str, str]]:
    return [(each.value, each.origin) for each in reporter.told if each.subject == "arguments"]


def gap(one: nn.Module, other: nn.Module) -> float:
    frames = torch.rand(2, *SHAPE)
    with torch.no_grad():
        return float((one(frames) - other(frames)).abs().max())


@pytest.mark.parametrize("name", ["Net", "Module"])
@pytest.mark.parametrize("normalises", [True, False])
@pytest.mark.parametrize("pretrained", [True, False])
def test_settle_downloads_of_a_stated_value_gives_the_network_that_was_trained(
    name: str, normalises: bool, pretrained: bool, tmp_path: Path
) -> None:
    network = trained(lambda: globals()[name](pretrained, normalises))
    path = saved(network, tmp_path / "x.ckpt", pretrained=pretrained, normalises=normalises)
    loaded, reporter = settled(path, name)
    assert gap(loaded, network) == 0
    assert (
        about_arguments(reporter) == [("pretrained=true" if normalises else "pretrained=false", "found")] * pretrained
    )
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("pretrained", [True, False])
def test_settle_downloads_of_a_default_asks_where_the_networks_differ(pretrained: bool, tmp_path: Path) -> None:
    network = trained(lambda: Net(pretrained))
    path = saved(network, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="give --model-arg pretrained=true or pretrained=false") as caught:
        settled(path, "Net")
    assert caught.value.words == ("--model-arg", "pretrained=VALUE")
    given, reporter = settled(path, "Net", pretrained=pretrained)
    assert gap(given, network) == 0
    skipped = [each.sentence for each in reporter.told if URL in each.sentence]
    assert len(skipped) == pretrained


def test_settle_downloads_of_a_default_that_changes_nothing_says_so(tmp_path: Path) -> None:
    network = trained(lambda: Net(True, normalises=False))
    loaded, reporter = settled(saved(network, tmp_path / "x.pt"), "Net", normalises=False)
    assert gap(loaded, network) == 0
    assert about_arguments(reporter) == [("pretrained=false", "found")]


def test_settle_downloads_of_weights_that_fit_one_of_them_takes_that_one(tmp_path: Path) -> None:
    network = trained(lambda: OtherLayers(pretrained=False))
    loaded, reporter = settled(saved(network, tmp_path / "x.pt"), "OtherLayers")
    assert gap(loaded, network) == 0
    (finding,) = [each for each in reporter.told if each.subject == "arguments"]
    assert finding.origin == "guessed"
    assert "another network's" in finding.reason


def test_settle_downloads_that_cannot_be_compared_says_that_it_is_a_guess(tmp_path: Path) -> None:
    path = saved(trained(lambda: Urlopen(pretrained=False)), tmp_path / "x.pt")
    _, reporter = settled(path, "Urlopen")
    (finding,) = [each for each in reporter.told if each.subject == "arguments"]
    assert (finding.value, finding.origin) == ("pretrained=false", "guessed")
    assert "is not known" in finding.reason
    assert finding.words == ("--model-arg", "pretrained=false")


def test_settle_downloads_inside_an_object_names_its_place(tmp_path: Path) -> None:
    network = trained(lambda: Around(Net(pretrained=True)))
    path, inside = saved(network, tmp_path / "x.pt"), {"class_path": f"{__name__}.Net"}
    with pytest.raises(CheckpointError, match="write pretrained: true or pretrained: false in the init_args of net"):
        settled(path, "Around", net=inside)
    loaded, _ = settled(path, "Around", net={**inside, "init_args": {"pretrained": True}})
    assert gap(loaded, network) == 0


class Lenient(Module):
    strict_loading = False


def test_load_checkpoint_of_weights_that_the_constructor_fetches_is_refused_where_the_file_lacks_them(
    tmp_path: Path,
) -> None:
    network = trained(lambda: Lenient(True, False))
    weights = {name: value for name, value in network.state_dict().items() if "encoder" not in name}
    path = tmp_path / "x.ckpt"
    known = {"pretrained": True, "normalises": False}
    torch.save({"state_dict": weights, "hyper_parameters": known, "pytorch-lightning_version": "2.0"}, path)
    with pytest.raises(CheckpointError, match="its constructor fetches: give --model-arg pretrained=true"):
        load_checkpoint(path, f"{__name__}:Lenient")
    assert load_checkpoint(path, f"{__name__}:Lenient", {"pretrained": False}).network is not None


def plan_of(path: Path, name: str, out: Path, *words: str) -> ExportPlan:
    options = ExportOptions(path, out=out, frames=(), model=f"{__name__}:{name}", input_size=(32, 32))
    stated = ["--mean", "0", "0", "0", "--std", "1", "1", "1", "--tap", "drop", *words]
    return plan_export(with_words(options, stated))


def test_plan_export_of_an_unknown_switch_goes_on_and_leaves_its_value_open(tmp_path: Path) -> None:
    path = saved(trained(lambda: Net(True)), tmp_path / "x.pt")
    plan = plan_of(path, "Net", tmp_path / "out")
    assert [problem.words for problem in plan.problems if problem.words[:1] != ("--frames",)] == [
        ("--model-arg", "pretrained=VALUE")
    ]
    assert plan.sampled is not None
    assert plan.command is not None
    assert "pretrained=VALUE" in plan.command
    stated = plan_of(path, "Net", tmp_path / "out", "--model-arg", "pretrained=true")
    assert [problem.words[:1] for problem in stated.problems] == [("--frames",)]


def test_plan_export_of_a_stated_switch_normalises_as_the_network_was_trained(tmp_path: Path) -> None:
    network = trained(lambda: Net(True))
    plan = plan_of(saved(network, tmp_path / "x.ckpt", pretrained=True), "Net", tmp_path / "out")
    assert plan.inputs is not None
    assert gap(plan.inputs.checkpoint.network, network) == 0
    assert plan.command is not None
    assert "pretrained=false" not in plan.command


def test_stood_in_downloads_leaves_every_name_as_it_was() -> None:
    own = load_state_dict_from_url
    load = nn.Module.load_state_dict
    with stood_in_downloads() as asked:
        assert load_state_dict_from_url is not own
        weights: Any = load_state_dict_from_url(URL)
        assert isinstance(weights["model"].copy(), StandInWeights)
        nn.Linear(1, 1).load_state_dict(weights)
        with pytest.raises(RuntimeError, match="Missing key"):
            nn.Linear(1, 1).load_state_dict({})
    assert asked == [URL]
    assert load_state_dict_from_url is own is torch.hub.load_state_dict_from_url
    assert nn.Module.load_state_dict is load
