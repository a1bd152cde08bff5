# SPDX-License-Identifier: Apache-2.0
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from export.anomalies import ANOMALIES, COMMON_KINDS, SEVERITIES
from export.evaluation.report_charts import severity_chart
from export.evaluation.result import Evaluation


def evaluated(kinds: tuple[str, ...], seed: int, lowest: float) -> Evaluation:
    """Result whose kinds have an AUROC that rises from the lowest to nearly 1, all that the chart reads of it."""
    rng = np.random.default_rng(seed)

    def shift(kind: str, severity: int) -> SimpleNamespace:
        auroc = min(lowest + (0.97 + 0.03 * rng.random() - lowest) * severity / 5, 1.0)
        source = SimpleNamespace(kind=kind, severity=severity)
        return SimpleNamespace(
            frames=SimpleNamespace(source=source), figures={"auroc": SimpleNamespace(value=auroc)}, harm=None
        )

    shifts = [shift(kind, severity) for kind in kinds for severity in SEVERITIES]
    return cast("Evaluation", SimpleNamespace(shifts=shifts))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lowest", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kinds", [("fog",), COMMON_KINDS, tuple(ANOMALIES)])
def test_severity_chart_names_every_kind_one_under_the_other(kinds: tuple[str, ...], lowest: float, seed: int) -> None:
    svg = severity_chart(evaluated(kinds, seed, lowest))
    bottom = float(re.findall(r' y="([\d.]+)"[^>]*>1</text>', svg)[0]) - 10  # of the axes, above the tick of severity 1
    places = []
    for kind in kinds:
        name = kind.replace("_", " ")
        (found,) = re.findall(rf'<text style="font-size: ([\d.]+)px[^>]*? y="([\d.]+)"[^>]*>{name}</text>', svg)
        places.append((float(found[1]), float(found[0])))
    places.sort()
    assert all(size <= y <= bottom for y, size in places)
    assert all(after[0] - before[0] > 0.9 * before[1] for before, after in pairwise(places))
