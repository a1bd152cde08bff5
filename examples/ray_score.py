# SPDX-License-Identifier: Apache-2.0
"""Scores the recorded images of a fleet: Ray Data over files, one monitor an actor, Parquet out.

    pip install 'ray[data]'
    python examples/ray_score.py monitor/ drives/*/ --out scores/ --actors 8
    python examples/ray_score.py monitor/ drives/*/ --out scores/ --actors 2 --provider cuda

Each folder is a drive; its name goes into the column `drive`. Frames that cannot be scored get the state `invalid` and a
reason; nothing stops the other ten million. The files hold the features too, so that frames to label can be chosen from them:

    lsood select scores/ --budget 200 --out pick.csv
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsood_runtime import LsoodError, MediaError, OoDMonitor
from lsood_runtime.offline import IMAGE_SUFFIXES, natural_order, read_frames, visible

COLUMNS = {
    "drive": "string",
    "frame": "string",
    "score": "float64",
    "p_value": "float64",
    "threshold": "float64",
    "is_ood": "bool",
    "state": "string",
    "reason": "string",
    "provider": "string",
    "expected_quality": "float64",
    "cause": "string",
    "object_count": "int64",
    "largest_peak": "float64",
}
"""Type of each column beside the features; those that the bundle does not answer are left out."""


class Scorer:
    """What an actor holds: one monitor, loaded once."""

    def __init__(self, bundle: str, provider: str, threads: int) -> None:
        self._monitor = OoDMonitor(bundle, providers=[provider], threads=threads, keep_features=True)

    def __call__(self, batch: Any) -> Any:
        """Turn a batch with the column ``path`` into a table of Arrow with a verdict for each."""
        import pyarrow

        rows = [self._row(str(path)) for path in batch["path"]]
        told = [(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items() if name in rows[0]]
        features = ("features", pyarrow.list_(pyarrow.float32()))
        return pyarrow.Table.from_pylist(rows, schema=pyarrow.schema([*told, features]))

    def _row(self, path: str) -> dict[str, Any]:
        frame, unreadable = None, ""
        try:
            ((_, frame),) = read_frames(Path(path), self._monitor.manifest.input.channels)
        except MediaError as error:
            unreadable = str(error)
        verdict = self._monitor.assess(frame)
        row = {"drive": Path(path).parent.name, "frame": path, **verdict.asdict(), "features": verdict.features}
        return row | {"reason": unreadable} if unreadable else row


def find_images(folders: Sequence[Path]) -> list[dict[str, str]]:
    """A row for each image of the folders, in order."""
    images = [
        {"path": str(path)}
        for folder in folders
        for path in natural_order(folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() in IMAGE_SUFFIXES and visible(path)
    ]
    if not images:
        raise MediaError(f"expected folders with images, found none in {', '.join(map(str, folders))}")
    return images


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the drives and print how many frames are out of distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("drives", type=Path, nargs="+", metavar="DRIVE", help="folders of images")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the Parquet files")
    parser.add_argument("--actors", type=int, default=1, help="monitors at work at once")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each monitor")
    parser.add_argument("--provider", default="cpu")
    options = parser.parse_args(arguments)
    try:
        import ray
    except ImportError:
        parser.error("this example needs Ray: pip install 'ray[data]'")
    if options.out.exists():
        parser.error(f"expected a new folder, {options.out} exists")
    try:
        images = find_images(options.drives)
        OoDMonitor(options.bundle, providers=[options.provider]).close()  # here, not in the log of an actor
    except LsoodError as error:
        parser.error(str(error))
    scored = ray.data.from_items(images).map_batches(
        Scorer,
        fn_constructor_args=(str(options.bundle.resolve()), options.provider, options.threads),
        batch_size=32,
        compute=ray.data.ActorPoolStrategy(size=options.actors),
        num_cpus=options.threads,
        num_gpus=0 if options.provider == "cpu" else 1,
    )
    scored.write_parquet(str(options.out.resolve()))
    written = ray.data.read_parquet(str(options.out.resolve()))
    flagged = written.sum("is_ood")
    print(f"{written.count()} frames of {len(options.drives)} drives, {flagged} out of distribution; in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
