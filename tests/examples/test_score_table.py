# SPDX-License-Identifier: Apache-2.0
"""The example that tables the scores of evaluations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.score_table import main


def score(name: str, hurting: float | None, worst: str = "mud") -> dict[str, Any]:
    return {
        "name": name,
        "all_cells": 0.9,
        "hurting_cells": hurting,
        "worst_kind": worst,
        "worst_auroc": 0.8 if worst else None,
        "hurting_frames": hurting,
        "caught": hurting,
        "kinds": {},
    }


RESULT: dict[str, Any] = {
    "ind": {
        "frames": 40,
        "false_alarm_rate": [0.05, 0.01, 0.1],
        "drives": [{"drive": "a", "frames": 4, "flagged": 3}, {"drive": "b", "frames": 36, "flagged": 2}],
    },
    "hurting": {
        "hurting_frames": {"frames": 80, "auroc": [1, 1, 1], "missed": [0.02, 0.0, 0.04]},
        "harmless_frames": None,
        "scores": [
            score("this monitor", 0.99),
            score("energy", 0.95),
            score("entropy, kde", 0.97),
            score("n", None, ""),
        ],
    },
}


def test_score_table_of_an_evaluation_lists_the_monitor_then_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "idd.json"
    path.write_text(json.dumps(RESULT))
    main([str(path)])
    printed = capsys.readouterr().out
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ") and "AUROC" not in line]
    assert [row[0] for row in rows] == ["| **this monitor**", "| entropy, kde", "| energy", "| n"]
    assert rows[0][1:] == ["0.900", "0.990", "mud 0.800", "0.990 |"]
    assert rows[-1][2:] == ["-", "-", "- |"]
    assert "5.0% (1.0% to 10.0%) of 40 frames are false alarms, 1 of 2 drives are flagged" in printed
    assert printed.endswith("of 80 frames that hurt 2.0% (0.0% to 4.0%) are missed.\n")
    main([str(path), "--most", "1"])
    assert "energy" not in capsys.readouterr().out


def test_score_table_of_an_evaluation_without_shifts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text(json.dumps(RESULT | {"hurting": None}))
    with pytest.raises(SystemExit, match="--synthetic"):
        main([str(path)])


def shift(name: str, kind: str | None, severity: int | None, auroc: float, hurts: bool) -> dict[str, Any]:
    figures = {"auroc": [auroc, 0.0, 1.0]}
    return {"name": name, "kind": kind, "severity": severity, "figures": figures, "hurts": hurts, "mean_iou": 0.25}


@pytest.mark.parametrize("seed", range(3))
def test_kind_tables_of_an_evaluation_hold_every_cell_and_every_score(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(seed)
    kinds, severities = ["dead_lines", "fog"], [1, 3, 5]
    cells = {(kind, s): (round(rng.random(), 3), bool(rng.integers(2))) for kind in kinds for s in severities}
    shifts = [shift(f"{kind} {s}", kind, s, *cell) for (kind, s), cell in cells.items()]
    rng.shuffle(shifts)
    scores = [score("this monitor", 0.9), score("energy", 0.8), score("softmax", 0.7)]
    for one in scores:
        one["kinds"] = {kind: round(rng.random(), 3) for kind in ("dusk", *kinds)}
    result = RESULT | {
        "ind": RESULT["ind"] | {"mean_iou": 0.5},
        "shifts": [shift("dusk", None, None, 1.0, True), *shifts],
    }
    path = tmp_path / "camvid.json"
    path.write_text(json.dumps(result | {"hurting": RESULT["hurting"] | {"scores": scores}}))
    main([str(path), "--kinds", "--most", "1"])
    printed = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines() if "|" in line
    ]
    severity_rows = printed[next(i for i, row in enumerate(printed) if row[0] == "severity") :]
    assert severity_rows[0] == ["severity", "1", "3", "5", "mIoU at each (clean: 0.500)"]
    assert severity_rows[2] == ["dusk (real)", "**1.000**", "", "", "0.250"]
    for row in severity_rows[3:5]:
        for s, text in zip(severities, row[1:4], strict=True):
            auroc, hurts = cells[row[0].replace(" ", "_"), s]
            assert text == (f"**{auroc:.3f}**" if hurts else f"{auroc:.3f}")
    assert severity_rows[5] == ["score", "dusk", "dead lines", "fog"]
    assert severity_rows[7:] == [
        [one["name"], *(f"{one['kinds'][kind]:.3f}" for kind in ("dusk", *kinds))] for one in scores[:2]
    ]
