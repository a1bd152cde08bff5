# SPDX-License-Identifier: Apache-2.0
"""The example that tables the scores of evaluations."""

import json
from pathlib import Path
from typing import Any

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


RESULT = {
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
