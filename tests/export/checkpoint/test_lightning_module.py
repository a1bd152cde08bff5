# SPDX-License-Identifier: Apache-2.0
"""LightningModules of every shape: opened as ``load_from_checkpoint`` opens them, or refused by one line."""

import functools
import keyword
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint.load import Checkpoint, load_checkpoint
from export.cli.export import main
from export.errors import CheckpointError
from lsood_runtime import OoDMonitor
from tests.conftest import write_scenes
from tests.export.checkpoint import lightning_modules as shapes
from tests.export.pipeline.told_reporter import ToldReporter

MODULES = shapes.__name__
CONFIG = {"model": {"width": 5, "classes": 3}, "run": {"folder": "${oc.env:NOT_SET_ANYWHERE}"}}
QUIET: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
}


def shuffled(module: nn.Module) -> nn.Module:
    """The module with other weights than its constructor gives."""
    with torch.no_grad():
        for value in module.state_dict(keep_vars=True).values():
            if value.is_floating_point():
                value.uniform_(0.1, 1)
    return module


def save(module: Any, path: Path) -> Path:
    """Write what a Trainer of the module's own package writes."""
    package: Any = pl if isinstance(module, pl.LightningModule) else lightning
    trainer = package.Trainer(**QUIET)
    trainer.strategy.connect(module)
    module.trainer = trainer
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(path)
    return path


def load(path: Path, name: str, **options: Any) -> tuple[Checkpoint, list[str]]:
    told = ToldReporter()
    loaded = load_checkpoint(path, f"{MODULES}:{name}", reporter=told, **options)
    return loaded, [finding.sentence for finding in told.told]


def assert_equal(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


OPENED: dict[str, Callable[[], nn.Module]] = {
    "OneMapping": lambda: shapes.OneMapping({"width": 5, "classes": 3, "lr": 0.1}),
    "NestedMappings": lambda: shapes.NestedMappings({"width": 5, "classes": 3}, {"lr": 1e-3, "betas": (0.9, 0.99)}),
    "WholeConfig": lambda: shapes.WholeConfig(OmegaConf.create(CONFIG)),
    "ConfigArgument": lambda: shapes.ConfigArgument(OmegaConf.create(CONFIG)),
    "Sized": lambda: shapes.Sized(width=5),
    "MoreHyperParameters": lambda: shapes.MoreHyperParameters(width=5),
    "AnyKeywords": lambda: shapes.AnyKeywords(width=5, lr=0.1, strict="yes", path="x"),
    "Lazy": lambda: built(shapes.Lazy(width=5)),
    "MendsNames": lambda: shapes.MendsNames(width=5),
    "FrozenTeacher": lambda: shapes.FrozenTeacher(width=5),
    "OwnLoader": lambda: shapes.OwnLoader(width=5),
    "Averaged": lambda: shapes.Averaged(width=5),
    "CompiledInside": lambda: shapes.CompiledInside(width=5),
    "OtherSized": lambda: shapes.OtherSized(width=5),
}
"""Those that Lightning opens too, from a safe file."""


def built(module: shapes.Lazy) -> shapes.Lazy:
    module.configure_model()
    return module


@pytest.mark.parametrize("name", OPENED)
def test_load_checkpoint_of_a_module_gives_what_lightning_gives(name: str, tmp_path: Path) -> None:
    module = shuffled(OPENED[name]())
    path = save(module, tmp_path / "last.ckpt")
    loaded, _ = load(path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a teacher is not in the file
        theirs = getattr(shapes, name).load_from_checkpoint(path, weights_only=False)
    assert type(loaded.network) is type(module) is type(theirs)
    assert_equal(loaded.network.state_dict(), module.state_dict())
    assert_equal(loaded.network.state_dict(), theirs.state_dict())
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(loaded.network(x), module.eval()(x))
    width = loaded.hyper_parameters.get("width") or str(loaded.hyper_parameters)
    assert width == 5 or "'width': 5" in str(width)


@pytest.mark.parametrize("name", ["Sized", "Lazy", "MendsNames", "FrozenTeacher"])
def test_load_checkpoint_of_a_function_that_returns_a_module_is_by_its_rules_too(name: str, tmp_path: Path) -> None:
    module = shuffled(OPENED[name]())
    path = save(module, tmp_path / "last.ckpt")
    loaded, _ = load(path, "from_function", model_args={"name": name, "width": 5})
    assert type(loaded.network) is type(module)
    assert_equal(loaded.network.state_dict(), module.state_dict())


NOT_BY_LIGHTNING: dict[str, Callable[[], nn.Module]] = {
    "OneNamespace": lambda: shapes.OneNamespace(Namespace(width=5, classes=3, gpus=2)),
    "WeightedLoss": lambda: shapes.WeightedLoss(width=5, class_weights=torch.rand(3)),
}


@pytest.mark.parametrize("name", NOT_BY_LIGHTNING)
def test_load_checkpoint_of_a_module_that_lightning_does_not_open_gives_its_weights(name: str, tmp_path: Path) -> None:
    module = shuffled(NOT_BY_LIGHTNING[name]())
    path = save(module, tmp_path / "last.ckpt")
    with pytest.raises((RuntimeError, AttributeError)):
        getattr(shapes, name).load_from_checkpoint(path, weights_only=False)
    loaded, _ = load(path, name)
    wanted = {key: value for key, value in module.state_dict().items() if "criterion" not in key}
    assert_equal(loaded.network.state_dict(), wanted)


def template(compiles: bool) -> nn.Module:
    adam = functools.partial(torch.optim.Adam, lr=1e-3)
    with pytest.warns(UserWarning, match="already saved"):
        module = shapes.TemplateOfHydra(shapes.TwoLayers(5), adam, compiles=compiles)
    module.setup("fit")
    return module


def with_loss() -> nn.Module:
    with pytest.warns(UserWarning, match="already saved"):
        return shapes.LossGiven(5, criterion=nn.CrossEntropyLoss())


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: template(False), "functools.partial"),
        (lambda: template(True), "functools.partial"),
        (lambda: with_loss(), "torch.nn.modules.loss.CrossEntropyLoss"),
    ],
    ids=["template", "compiled in training", "loss"],
)
def test_load_checkpoint_of_a_module_with_objects_names_them_and_opens_with_trust(
    make: Callable[[], nn.Module], named: str, tmp_path: Path
) -> None:
    module = shuffled(make())
    path = save(module, tmp_path / "last.ckpt")
    name = type(module).__name__
    with pytest.raises(CheckpointError, match=f"{named}.*give --trust-checkpoint") as caught:
        load(path, name)
    assert caught.value.words == ("--trust-checkpoint",)
    loaded, _ = load(path, name, trust=True)
    assert_equal(
        loaded.network.state_dict(),
        {key.replace("_orig_mod.", ""): value for key, value in module.state_dict().items()},
    )


def test_load_checkpoint_of_a_module_that_takes_its_network_asks_for_it(tmp_path: Path) -> None:
    path = save(shapes.NetworkGiven(shapes.TwoLayers(5)), tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"expected the arguments model of NetworkGiven.*--model-arg model="):
        load(path, "NetworkGiven")
    loaded, _ = load(path, "NetworkGiven", model_args={"model": shapes.TwoLayers(5)})
    assert isinstance(loaded.network, shapes.NetworkGiven)


def test_load_checkpoint_of_a_module_says_what_it_does_not_use_or_lacks(tmp_path: Path) -> None:
    for name, words in {
        "MoreHyperParameters": "arguments: without git_sha, epochs (found: ",
        "WeightedLoss": "weights: without criterion.weight (found: of a loss",
        "FrozenTeacher": "weights: 8 as the constructor sets them (guessed: the file lacks them",
    }.items():
        make = {**OPENED, **NOT_BY_LIGHTNING}[name]
        _, sentences = load(save(shuffled(make()), tmp_path / f"{name}.ckpt"), name)
        assert any(sentence.startswith(words) for sentence in sentences), sentences


def test_load_checkpoint_of_a_module_whose_names_differ_is_refused_though_it_is_not_strict(tmp_path: Path) -> None:
    """Lightning opens it with a warning and the weights of the constructor."""
    path = save(shuffled(shapes.FrozenTeacher(5)), tmp_path / "last.ckpt")
    contents = torch.load(path, weights_only=True)
    weights = contents["state_dict"]
    contents["state_dict"] = {name.replace("encoder", "features"): value for name, value in weights.items()}
    torch.save(contents, path)
    with pytest.raises(CheckpointError, match=r"another network's: .*unexpected, the first is model.features"):
        load(path, "FrozenTeacher")


@pytest.mark.parametrize(
    ("name", "model_args", "width"),
    [
        ("Sized", {"width": 6}, 6),
        ("OneMapping", {"width": 6}, 6),
        ("OneMapping", {"cfg": {"width": 7, "classes": 3}}, 7),
    ],
)
def test_load_checkpoint_of_a_module_with_the_users_arguments_takes_those(
    name: str, model_args: dict[str, Any], width: int, tmp_path: Path
) -> None:
    def make(width: int) -> nn.Module:
        return shapes.Sized(width) if name == "Sized" else shapes.OneMapping({"width": width, "classes": 3})

    path = save(make(5), tmp_path / "last.ckpt")
    wider = shuffled(make(width))
    contents = torch.load(path, weights_only=True)
    torch.save({**contents, "state_dict": wider.state_dict()}, path)
    with pytest.raises(CheckpointError, match=r"another network's: size mismatch for model\.encoder\.0\.weight"):
        load(path, name)
    loaded, _ = load(path, name, model_args=model_args)
    assert_equal(loaded.network.state_dict(), wider.state_dict())


def test_load_checkpoint_of_a_module_with_an_unknown_argument_of_the_user_is_refused(tmp_path: Path) -> None:
    path = save(shapes.Sized(5), tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"Sized takes \(width, classes\), got widht"):
        load(path, "Sized", model_args={"widht": 5})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    others=st.dictionaries(
        st.sampled_from(
            [*keyword.kwlist[:12], "strict", "weights_only", "map_location", "hparams_file", "model", "key"]
        ),
        st.recursive(
            st.integers() | st.text(max_size=3) | st.none() | st.booleans(),
            lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=2), values, max_size=2),
            max_leaves=4,
        ),
        max_size=4,
    ),
    by_the_user=st.booleans(),
)
def test_load_checkpoint_of_a_module_with_any_names_and_values_hands_them_over(
    tmp_path: Path, others: dict[str, Any], by_the_user: bool
) -> None:
    module = shuffled(shapes.AnyKeywords(5, **({} if by_the_user else others)))
    path = save(module, tmp_path / "last.ckpt")
    loaded, _ = load(path, "AnyKeywords", model_args=others if by_the_user else {})
    assert_equal(loaded.network.state_dict(), module.state_dict())
    assert loaded.network.others == others
    assert {name: loaded.hyper_parameters[name] for name in others} == others


def test_load_checkpoint_of_bare_weights_of_a_module_is_by_its_rules_too(tmp_path: Path) -> None:
    module = shuffled(built(shapes.Lazy(5)))
    torch.save(module.state_dict(), tmp_path / "bare.pt")
    loaded, _ = load(tmp_path / "bare.pt", "Lazy", model_args={"width": 5})
    assert_equal(loaded.network.state_dict(), module.state_dict())
    torch.save({"weights": {f"ddp.{k}": v for k, v in module.state_dict().items()}}, tmp_path / "bare.pt")
    loaded, sentences = load(tmp_path / "bare.pt", "Lazy", model_args={"width": 5})
    assert_equal(loaded.network.state_dict(), module.state_dict())
    assert [sentence.partition(" (")[0] for sentence in sentences[1:]] == [
        "weights: key weights",
        "weights: prefix ddp.",
    ]


def test_load_checkpoint_of_the_network_in_a_module_leaves_the_modules_arguments_out(tmp_path: Path) -> None:
    module = shapes.MoreHyperParameters(5)
    path = save(shuffled(module), tmp_path / "last.ckpt")
    loaded, sentences = load(path, "TwoLayers")
    assert_equal(loaded.network.state_dict(), module.model.state_dict())
    assert any(sentence.startswith("arguments: without git_sha, epochs") for sentence in sentences)
    assert any(sentence.startswith("weights: prefix model. ") for sentence in sentences)


def test_load_checkpoint_with_an_average_beside_takes_lightnings_and_says_so(tmp_path: Path) -> None:
    module, average = shuffled(shapes.Sized(5)), shuffled(shapes.Sized(5))
    path = save(module, tmp_path / "last.ckpt")
    torch.save({**torch.load(path, weights_only=True), "ema_state_dict": average.state_dict()}, path)
    loaded, sentences = load(path, "Sized")
    assert_equal(loaded.network.state_dict(), module.state_dict())
    assert any("which Lightning loads; ema_state_dict may be weights too" in sentence for sentence in sentences)
    assert_equal(load(path, "Sized", key="ema_state_dict")[0].network.state_dict(), average.state_dict())


def test_export_command_of_a_module_with_a_config_writes_a_bundle_of_its_weights(tmp_path: Path) -> None:
    module = shuffled(shapes.WholeConfig(OmegaConf.create(CONFIG)))
    path = save(module, tmp_path / "last.ckpt")
    frames = write_scenes(tmp_path / "frames", 30, seed=1, size=(48, 64))
    words = [
        "--ckpt",
        str(path),
        "--model",
        f"{MODULES}:WholeConfig",
        "--frames",
        str(frames),
        "--out",
        str(tmp_path / "m"),
    ]
    constants = "--input-size 24 32 --mc-samples 8 --false-alarm-rate 0.3 --mean 0.5 0.5 0.5 --std 0.2 0.2 0.2"
    assert main([*words, *constants.split(), "--tap", "model.encoder.2"]) == 0
    frame = np.array(Image.open(sorted(frames.iterdir())[0]))
    with OoDMonitor(tmp_path / "m") as monitor:
        classes = monitor.assess(frame).segmentation
    small = F.interpolate(
        torch.from_numpy(frame).permute(2, 0, 1)[None] / 255,
        (24, 32),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    wanted = module.eval()((small - 0.5) / 0.2).argmax(1)[0].numpy()
    assert np.mean(classes == wanted) > 0.99


def test_load_checkpoint_without_omegaconf_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(shapes.WholeConfig(OmegaConf.create(CONFIG)), tmp_path / "last.ckpt")
    for name in [name for name in sys.modules if name.partition(".")[0] == "omegaconf"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "omegaconf", None)
    with pytest.raises(CheckpointError, match=r"expected the package omegaconf .*: pip install omegaconf"):
        load(path, "WholeConfig")
