# SPDX-License-Identifier: Apache-2.0
"""Rows of verdicts with features, as `lsood score --features --out` writes them, from numbers of chance."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsood_runtime import FrameSelector, Selection

Rows = list[dict[str, Any]]
CAUSES = ("none", "fog", "mud", "unknown")


def make_rows(count: int, seed: int, drives: int = 4, width: int = 3, causes: Sequence[str] = CAUSES) -> Rows:
    """Rows of a bundle with all answers; scores have few values, so that many frames are equally relevant."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        is_invalid, is_unknown = rng.random() < 0.05, rng.random() < 0.1
        objects = int(rng.integers(0, 3))
        rows.append(
            {
                "frame": f"drive{rng.integers(drives)}/{seed}_{number:04d}.jpg",
                "camera": "front",
                "stamp_ns": 10**9 * number,
                "score": None if is_invalid else float(rng.integers(0, 20)),
                "state": "invalid" if is_invalid else "ok",
                "expected_quality": None if is_unknown else round(float(rng.random()), 2),
                "cause": str(rng.choice(list(causes))),
                "object_count": None if is_unknown else objects,
                "largest_peak": float(rng.integers(1, 9)) if objects else None,
                "features": None if is_invalid else rng.normal(size=width).astype(np.float32).tolist(),
            }
        )
    return rows


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "features": " ".join(map(repr, row["features"] or ()))} for row in rows)
    return path


def write_parquet(path: Path, rows: Rows, row_group: int = 1000) -> Path:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist(rows)
    place = table.schema.get_field_index("features")
    table = table.set_column(place, "features", table["features"].cast(pyarrow.list_(pyarrow.float32())))
    pyarrow.parquet.write_table(table, path, row_group_size=row_group)
    return path


def selected(tmp_path: Path, rows: Rows, **options: Any) -> Selection:
    """What a selector picks from one file of rows; ten frames, and duplicates kept, unless the options say otherwise."""
    selector = FrameSelector(**{"budget": 10, "min_distance": 0.0, **options})
    selector.read(write_csv(tmp_path / "rows.csv", rows))
    return selector.select()
