# SPDX-License-Identifier: Apache-2.0
"""Commands that write, with the smallest inputs; for tests of what they write, where, and in which order."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lsood_runtime import read_manifest, write_summaries
from tests.lsood_runtime.fleet.drawn_summaries import START_NS, drawn_frames, summary_of
from tests.lsood_runtime.select.rows import make_rows, write_csv
from tests.published_sets import WRITERS, Tree
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
_CERTIFIED = ("--provider", "cpu", "--frames", "FRAMES", "--rounds", "6")
_CALIBRATE = ("export", "calibrate", "BUNDLE", "--frames", "FRAMES", "--false-alarm-rate", "0.1", "--quiet")


def _verdicts(bundle: Path) -> Path:
    """Rows of the bundle, as far as a summary needs them."""
    threshold = next(iter(read_manifest(bundle).operating_points.values())).value
    row = {"state": "ok", "threshold": threshold, "is_late": False, "p_value": 0.5}
    lines = (json.dumps(row | {"stamp_ns": START_NS + number}) for number in range(9))
    path = bundle.parent / "verdicts.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def _summaries(bundle: Path) -> Path:
    path = bundle.parent / "summary.parquet"
    write_summaries([summary_of(drawn_frames(0, 50))], path)
    return path


def _published(bundle: Path) -> Path:
    """Two data sets of the bundle's frame size."""
    contract, root = read_manifest(bundle).input, bundle.parent / "published"
    for seed, name in enumerate(("idd_lite", "camvid")):
        WRITERS[name](Tree(root / name, (contract.frame_height, contract.frame_width), seed))
    return root


_MADE: dict[str, Callable[[Path], Path]] = {
    "ROWS": lambda bundle: write_csv(bundle.parent / "rows.csv", make_rows(20, 0)),
    "KEY": lambda bundle: write_keys(bundle.parent)[0],
    "VERDICTS": _verdicts,
    "SUMMARIES": _summaries,
    "PUBLISHED": _published,
}
"""Inputs that are made beside a bundle, by the word that stands for their path."""


@dataclass(frozen=True)
class WritingCommand:
    """A command that writes.

    Attributes:
        words: behind ``python -m``; ``OUT``, ``BUNDLE``, ``FRAMES``, ``CKPT`` and the words of :data:`_MADE` stand for paths.
        outs: names of its outputs in ``OUT``.
    """

    words: tuple[str, ...]
    outs: tuple[str, ...]

    def with_inputs(self, bundle: Path, frames: Path, checkpoint: Path) -> list[str]:
        """The words behind ``python -m`` with the paths of the inputs; ``OUT`` is left in them."""
        places = {"BUNDLE": str(bundle), "FRAMES": str(frames), "CKPT": str(checkpoint)}
        for word in self.words:
            if word in _MADE:
                places[word] = str(_MADE[word](bundle))
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
    "benchmark": WritingCommand(
        ("export", "benchmark", "BUNDLE", "--root", "PUBLISHED", "--ind", "idd_lite", "--out", "OUT/bench", "--quiet"),
        ("bench",),
    ),
    "fleet": WritingCommand(
        ("export", "fleet", "SUMMARIES", "--min-frames", "1", "--out", "OUT/fleet", "--quiet"), ("fleet",)
    ),
    "search": WritingCommand(
        (*_SEARCH, "--shifts", "fog", "--every", "4", "--timed", "0", "--quiet", "--out", "OUT/s.csv"), ("s.csv",)
    ),
    "score": WritingCommand(("lsood_runtime", "score", "BUNDLE", "FRAMES", *_LSOOD, *_PICTURES), _ROWS),
    "watch": WritingCommand(("lsood_runtime", "watch", "BUNDLE", "FRAMES", *_LSOOD, *_PICTURES), _ROWS),
    "select": WritingCommand(
        ("lsood_runtime", "select", "ROWS", "--budget", "3", "--out", "OUT/p.csv", "--sheet", "OUT/p.png"),
        ("p.csv", "p.png"),
    ),
    "summary": WritingCommand(
        ("lsood_runtime", "summary", "BUNDLE", "VERDICTS", "--vehicle", "car", "--out", "OUT/d.parquet"), ("d.parquet",)
    ),
    "certify": WritingCommand(
        (
            "lsood_runtime",
            "certify",
            "BUNDLE",
            "--provider",
            "cpu",
            "--frames",
            "FRAMES",
            "--rounds",
            "6",
            "--out",
            "OUT/c.json",
        ),
        ("c.json",),
    ),
    "pack": WritingCommand(("lsood_runtime", "pack", "BUNDLE", "--out", "OUT/m.zip"), ("m.zip",)),
    "triton": WritingCommand(("lsood_runtime", "triton", "BUNDLE", "OUT/models"), ("models",)),
    "sign": WritingCommand(("lsood_runtime", "sign", "OUT/monitor", "--key", "KEY"), ("monitor",)),
}
"""By name; ``OUT/monitor`` is a bundle before the command. ``push`` and ``pull`` need a hub, see ``test_hub.py``."""
