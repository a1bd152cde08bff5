# SPDX-License-Identifier: Apache-2.0
"""Training modules as public projects write them, with the network as an argument: each is exported by one command."""

import functools
import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from export.cli.export import main
from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import made_once, write_scenes
from tests.networks import settled

BLOCKS = """
from torch import nn
def block(i, o, s=1): return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
"""
NET = """
from torch import nn
from torch.nn import functional as F
from {dot}argument_blocks import block
class Net(nn.Module):
    def __init__(self, width=8, classes=5):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(block(3, width, 2), block(width, 2 * width, 2)), nn.Dropout2d(0.5)
        self.head = nn.Conv2d(2 * width, classes, 1)
    def forward(self, x):
        y = self.head(self.decoder(self.encoder(x)))
        return F.interpolate(4 * y + x.mean(1, keepdim=True)[..., ::4, ::4], size=x.shape[-2:], mode="bilinear")
"""
TRAINING = """
import pytorch_lightning as pl, torch
from torch import nn
class Base(pl.LightningModule):
    def forward(self, x): return self.net(x)
    def training_step(self, batch, index): return self(batch[0]).mean()
    def configure_optimizers(self): return torch.optim.Adam(self.parameters())
class NetGiven(Base):
    def __init__(self, net: nn.Module, lr: float = 1e-3):
        super().__init__(); self.save_hyperparameters(ignore=["net"]); self.net = net
class Hydra(Base):
    def __init__(self, net, optimizer, scheduler, compile: bool):
        super().__init__(); self.save_hyperparameters(logger=False); self.net = net
    def setup(self, stage):
        if self.hparams.compile and stage == "fit": self.net = torch.compile(self.net)
class LossGiven(Base):
    def __init__(self, width=8, criterion=nn.CrossEntropyLoss()):
        super().__init__(); self.save_hyperparameters()
        from argument_net import Net
        self.net, self.criterion = Net(width), criterion
class DictGiven(NetGiven):
    def forward(self, x):
        y = self.net(x)
        return {"out": y, "aux": -y}
"""
pytestmark = pytest.mark.filterwarnings("ignore:Attribute .* is an instance of:UserWarning")  # of Lightning, at saving

CONSTANTS = "--mean 0.4 0.4 0.4 --std 0.2 0.2 0.2 --mc-samples 8 --detector kde --tap net.decoder --input-size 32 64"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "argument_blocks.py").write_text(BLOCKS)
    (folder / "argument_net.py").write_text(NET.format(dot=""))
    (folder / "argument_training.py").write_text(TRAINING)
    for place, name, text in (
        ("nets", "net.py", NET.format(dot=".")),
        ("nets", "argument_blocks.py", BLOCKS),
        ("training", "module.py", TRAINING),
    ):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def scenes(shared_folder: Path) -> Path:
    return made_once(shared_folder / "frames" / "one_command", lambda folder: write_scenes(folder, 30, 6, (32, 64)))


@pytest.fixture
def modules(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    return importlib.import_module("argument_net"), importlib.import_module("argument_training")


def saved(module: pl.LightningModule, path: Path) -> pl.LightningModule:
    """Save it as a Trainer does."""
    trainer = pl.Trainer(
        logger=False,
        enable_checkpointing=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.strategy.connect(module)
    trainer.strategy._lightning_module = module
    module.trainer = trainer
    trainer.save_checkpoint(path)
    return module


def network(modules: tuple[ModuleType, ModuleType]) -> nn.Module:
    torch.manual_seed(5)
    net: nn.Module = settled(modules[0].Net())
    return net


def check_segmentation(bundle: Path, net: nn.Module, scenes: Path) -> None:
    frame = np.array(FrameFiles((scenes,))[3])
    x = torch.from_numpy(((frame / 255 - 0.4) / 0.2).transpose(2, 0, 1)[None]).float()
    with torch.no_grad(), OoDMonitor(bundle) as monitor:
        wanted = net.eval()(x)[0].argmax(0).numpy()
        assert len(np.unique(wanted)) > 1
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != wanted) < 0.002


ADAM = functools.partial(torch.optim.Adam, lr=1e-3)


@pytest.mark.parametrize(
    ("name", "arguments", "flags"),
    [
        ("NetGiven", (), ["--model-arg", "net={class_path: argument_net.Net, init_args: {width: 8}}"]),
        ("Hydra", (ADAM, None, False), ["--trust-checkpoint"]),
        ("Hydra", (ADAM, ADAM, True), ["--trust-checkpoint"]),
        ("LossGiven", None, ["--trust-checkpoint"]),
    ],
    ids=["NetGiven", "Hydra", "Hydra compiled", "LossGiven"],
)
def test_export_command_of_a_module_with_its_network_as_an_argument_writes_a_bundle(
    name: str,
    arguments: tuple[object, ...] | None,
    flags: list[str],
    modules: tuple[ModuleType, ModuleType],
    scenes: Path,
    tmp_path: Path,
) -> None:
    net = network(modules)
    made = getattr(modules[1], name)
    module = made() if arguments is None else made(net, *arguments)
    module.net.load_state_dict(net.state_dict())
    module.setup("fit")
    saved(module, tmp_path / "training.ckpt")
    words = [*CONSTANTS.split(), "--ckpt", str(tmp_path / "training.ckpt"), "--frames", str(scenes)]
    assert main([*words, "--model", f"argument_training:{name}", "--out", str(tmp_path / "m"), *flags]) == 0
    assert read_manifest(tmp_path / "m").tap.layers == ("net.decoder",)
    check_segmentation(tmp_path / "m", net, scenes)


def test_export_command_of_a_file_outside_any_package_takes_one_command(
    modules: tuple[ModuleType, ModuleType],
    project: Path,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A dictionary is returned, the network is an argument from another file, and the checkpoint is of a compiled one."""
    net = network(modules)
    compiled = modules[1].DictGiven(torch.compile(net))
    saved(compiled, tmp_path / "training.ckpt")
    keys = torch.load(tmp_path / "training.ckpt", weights_only=True)["state_dict"]
    assert all(key.startswith("net._orig_mod.") for key in keys)
    words = [*CONSTANTS.split(), "--ckpt", "training.ckpt", "--frames", str(scenes), "--out", "m", "--verbose"]
    words += ["--model", f"{project}/training/module.py:DictGiven"]
    words += ["--model-arg", f"net={{class_path: {project}/nets/net.py:Net, init_args: {{width: 8}}}}"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(project)])
    for name in ("argument_blocks", "argument_net", "argument_training"):  # what a module on the path would be found by
        monkeypatch.delitem(sys.modules, name, raising=False)
    code, printed = main(words), capsys.readouterr()
    assert code == 0, printed.err
    said = " ".join(f"{printed.out} {printed.err}".split())
    assert "out (1, 5, 32, 64)" in said, said
    assert "by its name, of out, aux" in said, said
    assert read_manifest(tmp_path / "m").name == "DictGiven"
    check_segmentation(tmp_path / "m", net, scenes)
