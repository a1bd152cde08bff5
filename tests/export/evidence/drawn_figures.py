# SPDX-License-Identifier: Apache-2.0
"""Figures of a report as an evaluation writes them, drawn at random, and reports of toy bundles made of them."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from lsood_runtime import read_manifest

SHARES = st.integers(0, 40).map(lambda number: number / 40)


@st.composite
def intervals(draw: st.DrawFn) -> list[float | None]:
    """A share with the ends of its interval, or without one."""
    low, value, high = sorted(draw(st.tuples(SHARES, SHARES, SHARES)))
    return [value, low, high] if draw(st.booleans()) else [value, None, None]


@st.composite
def drawn_drives(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Frames and flagged frames of drives."""
    frames = draw(st.lists(st.integers(1, 30), max_size=25))
    return [
        {"drive": f"d{i}", "frames": count, "flagged": draw(st.integers(0, count))} for i, count in enumerate(frames)
    ]


@st.composite
def drawn_shifts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Shifts of two kinds of degradation and a real one."""
    names = [("fog 1", "fog"), ("fog 3", "fog"), ("mud 2", "mud"), ("dusk & <rain>", None)]
    shifts = []
    for name, kind in draw(st.lists(st.sampled_from(names), unique=True)):
        share = draw(st.none() | SHARES)
        hurts = share is not None and share > 0
        shifts.append(
            {
                "name": name,
                "kind": kind,
                "frames": 40,
                "fitted_on": draw(st.booleans()),
                "hurting_share": share,
                "missed_of_hurting": draw(intervals()) if hurts else None,
                "figures": {"miss_rate": draw(intervals())},
            }
        )
    return shifts


@st.composite
def drawn_figures(draw: st.DrawFn) -> dict[str, Any]:
    """What a requirement reads of a report."""
    hurting = {"frames": 12, "missed": draw(intervals()), "auroc": draw(intervals())}
    return {
        "ind": {
            "frames": 40,
            "calibration_frames": draw(st.sampled_from([0, 0, 3])),
            "false_alarm_rate": draw(intervals()),
            "drives": draw(drawn_drives()),
        },
        "shifts": draw(drawn_shifts()),
        "hurting": draw(st.none() | st.just({"rule": "labels", "hurting_frames": None}))
        or {"rule": "labels", "hurting_frames": hurting},
        "blind": [],
        "failures": [],
    }


def plain_figures() -> dict[str, Any]:
    """Figures of an evaluation in which all is well."""
    missed, many = [0.05, 0.02, 0.1], {"frames": 40, "missed": [0.05, 0.02, 0.1], "auroc": [0.99, 0.98, 1.0]}
    fog = {"name": "fog 3", "kind": "fog", "frames": 40, "fitted_on": False, "hurting_share": 1.0}
    return {
        "ind": {
            "frames": 60,
            "calibration_frames": 0,
            "false_alarm_rate": [0.02, 0.01, 0.04],
            "drives": [{"drive": f"d{i}", "frames": 5, "flagged": 0} for i in range(12)],
        },
        "shifts": [fog | {"missed_of_hurting": missed, "figures": {"miss_rate": missed}}],
        "hurting": {"rule": "labels", "hurting_frames": many},
        "mean_auroc": 0.99,
        "blind": [],
        "failures": [],
    }


def write_figures(folder: Path, bundle: Path, figures: dict[str, Any]) -> Path:
    """A report of a bundle with these figures."""
    manifest = read_manifest(bundle)
    head = {
        "bundle": manifest.name,
        "bundle_files": {name: file.sha256 for name, file in manifest.files.items() if name != "README.md"},
        "created": "2026-11-27T10:00:00+00:00",
        "operating_point": manifest.operating_point,
        "threshold": manifest.threshold.value,
    }
    folder.mkdir(exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(head | figures))
    (folder / "index.html").write_text("<!doctype html><title>report</title>")
    return folder
