# SPDX-License-Identifier: Apache-2.0
"""A user's code that ends the process by itself is an error of the export, wherever it does so and with whatever code."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from export.checkpoint.load import load_checkpoint
from export.checkpoint.probe import run_once
from export.cli.export import main
from export.errors import CheckpointError, ConversionError, ExportError, refuse_exit
from export.pipeline.export_monitor import ExportOptions, export_monitor

NETWORK = """
import sys
import torch
from torch import nn

{at_import}

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head, self.calls = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 3, 1), 0
        {in_constructor}

    def load_state_dict(self, *given, **named):
        {in_loading}
        return super().load_state_dict(*given, **named)

    def eval(self):
        {in_eval}
        return super().eval()

    def forward(self, x):
        self.calls += 1
        {in_forward}
        return self.head(self.encoder(x))
"""
PLACES = {
    "at_import": "{exit}",
    "in_constructor": "{exit}",
    "in_loading": "{exit}",
    "in_eval": "{exit}",
    "in_forward": "{exit}",
    "in a later forward": "self.calls < 3 or {exit}",
}
EXITS = ["sys.exit(0)", "sys.exit()", "sys.exit(3)", "sys.exit('done')", "exit(0)"]


def command(folder: Path, frames: Path, place: str, code: str) -> list[str]:
    """A command line that exports a network which ends the process at one place."""
    torch.manual_seed(0)
    weights = {"encoder": nn.Conv2d(3, 8, 3), "head": nn.Conv2d(8, 3, 1)}
    torch.save(nn.ModuleDict(weights).state_dict(), folder / "network.pt")
    blank = dict.fromkeys(("at_import", "in_constructor", "in_loading", "in_eval", "in_forward"), "pass")
    filled = blank | {"in_forward" if " " in place else place: PLACES[place].format(exit=code)}
    name = f"exiting_{abs(hash((place, code, str(folder))))}"
    (folder / f"{name}.py").write_text(NETWORK.format(**filled))
    constants = ["--mean", "0.5", "0.5", "0.5", "--std", "0.2", "0.2", "0.2", "--drop-prob", "0.5", "--block-size", "2"]
    return [
        *["--ckpt", str(folder / "network.pt"), "--model", f"{name}:Network", "--tap", "encoder", "--mc-samples", "8"],
        *["--frames", str(frames), "--out", str(folder / "bundle"), *constants],
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("code", EXITS)
def test_export_of_a_network_that_ends_the_process_is_an_error(
    place: str,
    code: str,
    tmp_path: Path,
    frames: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(command(tmp_path, frames, place, code)) in (1, 3, 4)
    message = capsys.readouterr().err
    assert "export: error: expected" in message
    assert "to return, got sys.exit(" in message
    assert not (tmp_path / "bundle").exists()


def test_export_monitor_called_by_a_program_does_not_end_it(
    tmp_path: Path, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = command(tmp_path, frames, "in a later forward", "sys.exit(0)")
    given = ExportOptions(
        tmp_path / "network.pt",
        (frames,),
        tmp_path / "bundle",
        model=words[3],
        tap=("encoder",),
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
        drop_prob=0.5,
        block_size=2,
        mc_samples=8,
    )
    with pytest.raises(ExportError, match=r"got sys\.exit\(0\) from it"):
        export_monitor(given)


class Leaving(nn.Module):
    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, (0,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sys.exit(int(x.sum()))


def test_load_checkpoint_of_a_trusted_pickle_that_ends_the_process_is_an_error(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"network": Leaving()}}, tmp_path / "leaving.ckpt")
    with pytest.raises(CheckpointError, match=r"got sys\.exit\(0\)"):
        load_checkpoint(tmp_path / "leaving.ckpt", "torch.nn:Identity", trust=True)


def test_run_once_of_a_network_that_ends_the_process_names_it() -> None:
    with pytest.raises(ConversionError, match=r"expected Leaving to return, got sys\.exit\(0\)"):
        run_once(Leaving(), torch.zeros(1, 3, 2, 2))


def test_refuse_exit_lets_every_other_exception_pass() -> None:
    with pytest.raises(KeyboardInterrupt), refuse_exit(ExportError, "it"):
        raise KeyboardInterrupt
    with pytest.raises(LookupError), refuse_exit(ExportError, "it"):
        raise LookupError
