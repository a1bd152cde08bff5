# SPDX-License-Identifier: Apache-2.0
"""A plain U-Net that states nothing is exported in two commands: one that is told all that is missing, and its paste."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from export.cli.export import main
from lsood_runtime import read_manifest

UNET = """
import pytorch_lightning as pl
import torch
from torch import nn


def double(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, base=6):
        super().__init__()
        self.inc, self.down1, self.down2 = double(n_channels, base), double(base, 2 * base), double(2 * base, 4 * base)
        self.up1, self.up2 = double(6 * base, 2 * base), double(3 * base, base)
        self.pool, self.grow, self.outc = nn.MaxPool2d(2), nn.Upsample(scale_factor=2), nn.Conv2d(base, n_classes, 1)

    def forward(self, x):
        fine = self.inc(x)
        middle = self.down1(self.pool(fine))
        deep = self.down2(self.pool(middle))
        middle = self.up1(torch.cat([self.grow(deep), middle], 1))
        return self.outc(self.up2(torch.cat([self.grow(middle), fine], 1)))


class Module(pl.LightningModule):
    def __init__(self, n_channels, n_classes, lr=1e-3):
        super().__init__()
        self.net = UNet(n_channels, n_classes)

    def forward(self, x):
        return {"out": self.net(x).softmax(1), "lr": 1e-3}
"""

KNOWN = {
    "--mean": "0.45 0.45 0.45",
    "--std": "0.25 0.25 0.25",
    "--tap": "net.down2",
    "--drop-prob": "0.5",
    "--block-size": "2",
}
"""What only the person knows who trained it; the command asks for no more than that."""


def filled(command: str, frames: Path) -> list[str]:
    """A printed command as its reader pastes it, with what he knows in place of each placeholder."""
    known = KNOWN | {"--frames": str(frames)}
    words: list[str] = []
    values: Iterator[str] = iter([])
    for word in shlex.split(command):
        if word.startswith("--"):
            values = iter(known[word].split() if word in known and word != "--frames" else [known.get(word, "")])
        words.append(next(values) if word == "VALUE" else word)
    return words


@pytest.mark.parametrize("first", [["--dry-run"], ["--frames", "FRAMES", "--out", "m"]], ids=["dry run", "export"])
def test_export_of_a_lightning_module_that_states_nothing_takes_one_round(
    first: list[str],
    frames: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"plain_unet_{len(first)}"
    (tmp_path / f"{name}.py").write_text(UNET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.manual_seed(0)
    module = __import__(name).Module(3, 5)
    torch.save({"state_dict": module.state_dict(), "pytorch-lightning_version": "2.5.0"}, "u.ckpt")

    words = ["--ckpt", "u.ckpt", "--model", f"{name}:Module", "--mc-samples", "8", "--false-alarm-rate", "0.1"]
    code = main([*words, *(word.replace("FRAMES", str(frames)) for word in first)])
    printed = capsys.readouterr()
    (command,) = [line for line in (printed.out + printed.err).splitlines() if line.startswith("next: ")]
    assert code != 0
    assert "n_channels=3 n_classes=5" in command
    assert "--network-output probabilities" in command
    assert "--mean VALUE VALUE VALUE --std VALUE VALUE VALUE" in command
    assert not list(tmp_path.glob("m*"))

    pasted = filled(command.removeprefix("next: python -m export "), frames)
    assert "VALUE" not in pasted
    assert main([*pasted, "--quiet"]) == 0, capsys.readouterr().err
    manifest = read_manifest(tmp_path / pasted[pasted.index("--out") + 1])
    assert manifest.segmentation.num_classes == 5
    assert manifest.tap.layers[0].startswith("net.")
