# SPDX-License-Identifier: Apache-2.0
"""Attributes with the names of torch's methods: the network is exported, or refused with a remedy that helps."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.checkpoint.live import live_checkpoint
from export.cli.export import main
from export.errors import CheckpointError
from export.frames.files import FrameFiles
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from lsood_runtime import OoDMonitor
from tests.conftest import made_once, write_scenes
from tests.networks import CLASSES, HEIGHT, WIDTH

# Beside `forward`, without which nothing is a network, and the methods that torch calls while a module is made.
METHODS = sorted(
    name
    for name, value in vars(nn.Module).items()
    if callable(value) and not name.startswith("_") and name != "forward"
)


class Steps(nn.Module):
    """Its layers in a plain list, whose name is the caller's."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.first, self.drop, self.name = nn.Conv2d(3, 4, 3, padding=1), nn.Dropout2d(0.5), name
        setattr(self, name, [self.first, self.drop])

    def forward(self, x: Tensor) -> Tensor:
        for step in getattr(self, self.name):
            x = step(x)
        return x


class Within(nn.Module):
    """Holds the steps one level down."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body, self.head = Steps(name), nn.Conv2d(4, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits


def exported(network: nn.Module, tap: str) -> None:
    """Load it as it is, and compare one pass with S passes."""
    loaded = live_checkpoint(network).network
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    sampler = build_sampler(loaded, x, [tap], mc_samples=4, drop_prob=0.6, block_size=2)
    with torch.no_grad():
        output, latent_samples = sampler.module(x)
        torch.testing.assert_close(output, loaded(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(latent_samples, sample_passes(loaded, x, sampler), rtol=0, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in nn.Module.parameters(loaded))


@pytest.mark.parametrize(
    ("kind", "tap", "name"),
    [
        *((Steps, "drop", name) for name in METHODS),
        *(  # one level down the same code looks: a few names are enough in the fast tests
            pytest.param(Within, "body.drop", name, marks=[pytest.mark.slow] * bool(i % 6))
            for i, name in enumerate(METHODS)
        ),
    ],
)
def test_live_checkpoint_of_a_hidden_method_works_or_names_a_remedy_that_helps(
    kind: type[Steps | Within], tap: str, name: str
) -> None:
    try:
        network = kind(name)
    except TypeError:  # torch needs the method to make the module
        pytest.skip("no such module can be made")
    message = refusal(network, tap)
    if message:
        remedy = re.search(
            rf"expected {name}\b.* of Steps \(list\) .*: rename the attribute, such as self\.(\w+)$", message
        )
        assert remedy is not None, message
        assert name not in ("modules", "parameters", "buffers", "type", "apply")
        exported(kind(remedy[1]), tap)


def refusal(network: nn.Module, tap: str) -> str:
    """The message by which an export is refused; empty where it works."""
    try:
        exported(network, tap)
    except CheckpointError as error:
        return str(error)
    return ""


NET = """
import torch
from torch import nn
from torch.nn import functional as F
class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.drop = nn.Conv2d(3, 8, 3, 2, padding=1), nn.Dropout2d(0.5)
        self.{name} = [self.down, nn.functional.relu, self.drop]
    def forward(self, x):
        for step in self.{name}: x = step(x)
        return x
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head, self.parameters, self.buffers, self.modules = Body(), nn.Conv2d(8, 5, 1), {{"width": 8}}, [], 3
    def forward(self, x):
        y = F.interpolate(self.head(self.body(x)), size=x.shape[-2:], mode="bilinear")
        return 4 * y + x.mean(1, keepdim=True)
"""


@pytest.fixture(scope="module")
def scenes(shared_folder: Path) -> Path:
    return made_once(shared_folder / "frames" / "method_names", lambda folder: write_scenes(folder, 30, 6, (32, 64)))


def test_export_command_of_hidden_methods_exports_what_torch_can_run_and_else_names_the_attribute(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"net": "modules", "refused": "children"}
    for file, name in names.items():
        (tmp_path / f"{file}.py").write_text(NET.format(name=name))
    space: dict[str, type[nn.Module]] = {}
    exec(NET.format(name="modules"), space)
    net = space["Net"]().eval()
    weights = tmp_path / "net.pt"
    torch.save(net.state_dict(), weights)

    def command(file: str) -> list[str]:
        constants = (
            "--mean 0.4 0.4 0.4 --std 0.2 0.2 0.2 --mc-samples 8 --detector kde --tap body.drop --input-size 32 64"
        )
        model = ["--model", f"{tmp_path / file}.py:Net"]
        return [
            "--ckpt",
            str(weights),
            "--frames",
            str(scenes),
            "--out",
            str(tmp_path / f"{file}_bundle"),
            *model,
            *constants.split(),
        ]

    assert main(command("net")) == 0
    frame = np.array(FrameFiles((scenes,))[3])
    x = torch.from_numpy(((frame / 255 - 0.4) / 0.2).transpose(2, 0, 1)[None]).float()
    with torch.no_grad(), OoDMonitor(tmp_path / "net_bundle") as monitor:
        wanted = net(x)[0].argmax(0).numpy()
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != wanted) < 0.002
    capsys.readouterr()
    assert main(command("refused")) == 3
    assert "children of the layer body to be torch's method" in " ".join(capsys.readouterr().err.split())
