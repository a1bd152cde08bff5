# SPDX-License-Identifier: Apache-2.0
"""Commands that write, with the smallest inputs; for tests of what they write, where, and in which order."""

from dataclasses import dataclass
from pathlib import Path

from tests.lsood_runtime.select.rows import make_rows, write_csv
from tests.signing_keys import write_keys

_LSOOD = ("--out", "OUT/r.csv", "--out", "OUT/r.jsonl", "--out", "OUT/r.parquet", "--out", "OUT/r.mcap")
_PICTURES = ("--timeline", "OUT/t.png", "--thumbnails", "OUT/h.png")
_ROWS = ("r.csv", "r.jsonl", "r.parquet", "r.mcap", "t.png", "h.png")
_EXPORT = (
    "export",
    "--ckpt",
    "CKPT",
    "--frames",
    "FRAMES",
    "--mc-samples",
    "8",
    "--false-alarm-rate",
    "0.1",
    "--quiet",
)
_EVALUATE = ("export", "evaluate", "OUT/monitor", "--ind", "FRAMES", "--synthetic", "fog", "--severities", "3")
_SEARCH = ("export", "search", "--ckpt", "CKPT", "--frames", "FRAMES", "--samples", "8", "--detectors", "kde")
_CALIBRATE = ("export", "calibrate", "BUNDLE", "--frames", "FRAMES", "--false-alarm-rate", "0.1", "--quiet")


@dataclass(frozen=True)
class WritingCommand:
    """A command that writes.

    Attributes:
        words: behind ``python -m``; ``OUT``, ``BUNDLE``, ``FRAMES``, ``CKPT``, ``ROWS`` and ``KEY`` stand for paths.
        outs: names of its outputs in ``OUT``.
    """

    words: tuple[str, ...]
    outs: tuple[str, ...]

    def with_inputs(self, bundle: Path, frames: Path, checkpoint: Path) -> list[str]:
        """The words behind ``python -m`` with the paths of the inputs; ``OUT`` is left in them."""
        places = {"BUNDLE": str(bundle), "FRAMES": str(frames), "CKPT": str(checkpoint)}
        if "ROWS" in self.words:
            places["ROWS"] = str(write_csv(bundle.parent / "rows.csv", make_rows(20, 0)))
        if "KEY" in self.words:
            places["KEY"] = str(write_keys(bundle.parent)[0])
        return [places.get(word, word) for word in self.words]


WRITING_COMMANDS = {
    "export": WritingCommand((*_EXPORT, "--out", "OUT/new"), ("new",)),
    "export over a bundle": WritingCommand((*_EXPORT, "--out", "OUT/monitor", "--overwrite"), ("monitor",)),
    "calibrate": WritingCommand((*_CALIBRATE, "--out", "OUT/monitor", "--overwrite"), ("monitor",)),
    "calibrate with features": WritingCommand(
        (*_CALIBRATE, "--out", "OUT/new", "--save-features", "OUT/features.npz"), ("new", "features.npz")
    ),
    "evaluate": WritingCommand(
        (*_EVALUATE, "--every", "4", "--report", "OUT/report", "--update-card", "--quiet"), ("report", "monitor")
    ),
    "evidence": WritingCommand(("export", "evidence", "BUNDLE", "--out", "OUT/pack", "--quiet"), ("pack",)),
    "search": WritingCommand(
        (*_SEARCH, "--shifts", "fog", "--every", "4", "--timed", "0", "--quiet", "--out", "OUT/s.csv"), ("s.csv",)
    ),
    "score": WritingCommand(("lsood_runtime", "score", "BUNDLE", "FRAMES", *_LSOOD, *_PICTURES), _ROWS),
    "watch": WritingCommand(("lsood_runtime", "watch", "BUNDLE", "FRAMES", *_LSOOD, *_PICTURES), _ROWS),
    "select": WritingCommand(
        ("lsood_runtime", "select", "ROWS", "--budget", "3", "--out", "OUT/p.csv", "--sheet", "OUT/p.png"),
        ("p.csv", "p.png"),
    ),
    "sign": WritingCommand(("lsood_runtime", "sign", "OUT/monitor", "--key", "KEY"), ("monitor",)),
}
"""By name; ``OUT/monitor`` is a bundle before the command."""
