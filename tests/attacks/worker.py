# SPDX-License-Identifier: Apache-2.0
"""A process that loads attacked files one after the other, and says on stdout how each ended.

Arguments: kind of file, the original (a bundle, a checkpoint or a file of features), a scratch folder, first seed, count.
It waits for a line on stdin once it is ready, so that its limits can be set from outside.
"""

import json
import math
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lsood_runtime import BundleError, LsoodError, OoDMonitor
from lsood_runtime.offline import open_bundle
from tests.attacks.mutations import (
    grow_graph,
    make_digests_anew,
    mutate_archive,
    mutate_bytes,
    mutate_graph,
    mutate_json,
    write_manifest_bytes,
)

NETWORK = "ab" * 32
"""Digest of the network that measured the features."""

SECONDS = 5.0
"""Time for the golden frames of an attacked bundle."""


class Bundles:
    """Attacks on a bundle: on its graphs, what they hold in memory, its manifest, or its golden frames and weights."""

    def __init__(self, kind: str, original: Path, scratch: Path) -> None:
        self.kind, self.original, self.folder = kind, original, scratch / "monitor"
        with OoDMonitor(original, threads=1) as monitor:
            contract, self.digest = monitor.manifest.input, monitor._reopen.keywords["expected_sha256"]
            self.frame = np.random.default_rng(0).integers(
                0, 256, (contract.frame_height, contract.frame_width, 3), np.uint8
            )
            self.manifest, self.score = monitor.manifest, monitor.score(self.frame)

    def attack(self, rng: random.Random) -> str:
        """Change a copy of the bundle and load it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.original, self.folder)
        anew = rng.random() < 0.7
        if self.kind == "manifest":
            path = self.folder / "manifest.json"
            before, changed = path.read_bytes(), mutate_json(path.read_bytes(), rng)
            path.write_bytes(changed)
            if anew:
                write_manifest_bytes(self.folder, changed)
        elif self.kind in ("graph", "growth"):
            path = self.folder / rng.choice(["segmentation.onnx", "detector.onnx", "evaluation.onnx"])
            before = path.read_bytes()
            path.write_bytes((mutate_graph if self.kind == "graph" else grow_graph)(before, rng))
        else:
            path = self.folder / rng.choice(["golden.npz", "golden.npz", "weights.bin", "README.md", "manifest.sha256"])
            before = path.read_bytes()
            if path.name == "golden.npz":
                mutate_archive(path, rng)
            else:
                path.write_bytes(mutate_bytes(before, rng))
        is_changed = path.read_bytes() != before
        if anew and self.kind != "manifest" and path.name != "manifest.sha256":
            make_digests_anew(self.folder)
        elif is_changed and not anew:
            return self._refused(None)
        if (
            is_changed
            and (self.folder / "manifest.json").read_bytes() != (self.original / "manifest.json").read_bytes()
        ):
            pinned = self._refused(self.digest)
            if pinned != "refused":
                return pinned
        return self._outcome()

    def _refused(self, digest: str | None) -> str:
        try:
            OoDMonitor(self.folder, threads=1, self_test_seconds=SECONDS, expected_sha256=digest).close()
        except BundleError:
            return "refused"
        return f"loaded what its digests do not fit ({digest})"

    def _outcome(self) -> str:
        """Where it loads, its golden frames have passed: then it decides, and every number is one."""
        try:
            open_bundle(self.folder)  # looks at the graphs as well that a vehicle does not load
            with OoDMonitor(self.folder, threads=1, self_test_seconds=SECONDS) as monitor:
                point, verdict = monitor.manifest.threshold, monitor.assess(self.frame)
                if point.value not in monitor.manifest.calibration.scores:
                    return "a threshold that is no calibration score"
                if math.isnan(verdict.score) or (verdict.score > point.value) != verdict.is_ood:
                    return f"a verdict that does not fit its score {verdict.score}"
        except LsoodError as error:
            text = str(error)
            return "our error" if text.isprintable() and len(text) < 2000 else f"no line of text: {text[:200]!r}"
        return "loads"


class Checkpoints:
    """Attacks on a checkpoint."""

    def __init__(self, original: Path, scratch: Path) -> None:
        from export.checkpoint.load import load_checkpoint

        self.original, self.path, self.load = original, scratch / "attacked.ckpt", load_checkpoint
        self.weights = load_checkpoint(original).network.state_dict()

    def attack(self, rng: random.Random) -> str:
        """Change a copy of the checkpoint and load it."""
        from export.errors import ExportError

        shutil.copy(self.original, self.path)
        checksums_are_right = mutate_archive(self.path, rng)
        try:
            loaded = self.load(self.path).network.state_dict()
        except ExportError as error:
            return "our error" if "\n" not in str(error) else f"several lines: {str(error)[:200]!r}"
        changed = [name for name, weight in self.weights.items() if not loaded[name].equal(weight)]
        if changed and not checksums_are_right:
            return f"loads with {len(changed)} other weights, against the checksums of its archive"
        return "loads"


class FeatureFiles:
    """Attacks on a file of features."""

    def __init__(self, original: Path, scratch: Path) -> None:
        self.original, self.path = original, scratch / "attacked.npz"

    def attack(self, rng: random.Random) -> str:
        """Change a copy of the file and open it."""
        from export.errors import ExportError
        from export.features.files import open_features

        shutil.copy(self.original, self.path)
        mutate_archive(self.path, rng)
        try:
            table = open_features([self.path], NETWORK)
            for values in table.values.values():
                if np.asarray(values[:]).shape[0] != len(table.names):
                    return "rows that do not fit the names"
        except ExportError as error:
            return "our error" if "\n" not in str(error) else f"several lines: {str(error)[:200]!r}"
        return "loads"


def make_attacker(kind: str, original: Path, scratch: Path) -> Callable[[random.Random], str]:
    """The attack of a kind."""
    if kind == "checkpoint":
        return Checkpoints(original, scratch).attack
    if kind == "features":
        return FeatureFiles(original, scratch).attack
    return Bundles(kind, original, scratch).attack


def main(arguments: list[str]) -> None:
    """Attack, a line of JSON for each seed."""
    kind, original, scratch = arguments[0], Path(arguments[1]), Path(arguments[2])
    attack = make_attacker(kind, original, scratch)
    answer("ready")
    sys.stdin.readline()
    for seed in range(int(arguments[3]), int(arguments[3]) + int(arguments[4])):
        try:
            outcome = attack(random.Random(f"{kind} {seed}"))
        except Exception as error:
            outcome = f"{type(error).__name__}: {str(error)[:300]}"
        answer([seed, outcome])


def answer(value: Any) -> None:
    """Print a line of JSON at once."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
