# SPDX-License-Identifier: Apache-2.0
"""What the zoo's test measured, kept beside it, and the page that shows it.

``LSOOD_ZOO_RECORD=1 pytest -m slow tests/zoo`` measures anew; ``python -m tests.zoo.results`` writes the page.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.paths import ROOT
from tests.zoo.network import ZooNetwork
from tests.zoo.table import NETWORKS

_UNKNOWN = "not exported by the test so far"
RESULTS, PAGE = Path(__file__).with_name("results.json"), ROOT / "docs" / "results" / "zoo.md"


@dataclass(frozen=True)
class ZooResult:
    """Figures of one exported network.

    Attributes:
        tap: the layer that the export chose to sample.
        expected_cost: operations of a monitored frame, as a multiple of the bare network's.
        measured_cost: the same of its processor time.
        megabytes: size of the bundle, without the fused graph.
    """

    tap: str
    expected_cost: float
    measured_cost: float
    megabytes: float


def read_results() -> dict[str, ZooResult]:
    """The figures by the keys of the networks; none where nothing was measured."""
    if not RESULTS.exists():
        return {}
    return {key: ZooResult(**figures) for key, figures in json.loads(RESULTS.read_text()).items()}


def record(network: ZooNetwork, result: ZooResult) -> None:
    """Put the figures of a network in place of the older ones."""
    results = {key: asdict(figures) for key, figures in (read_results() | {network.key: result}).items()}
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def page(results: Mapping[str, ZooResult]) -> str:
    """The page in Markdown."""
    template = Path(__file__).with_name("page.md").read_text()
    green = [network for network in NETWORKS if network.key in results]
    rows = [_row(network, results[network.key]) for network in green]
    commands = [f"### {network.name} {{#{network.key}}}\n\n```text\n{network.command()}\n```\n" for network in green]
    missing = [network for network in NETWORKS if network.key not in results]
    others = [f"- {network.name} ({network.library}): {network.remark or _UNKNOWN}" for network in missing]
    if missing:
        others = ["Not among them:\n", *others, ""]
    return template.format(
        total=len(NETWORKS),
        green=len(green),
        rows="\n".join(rows),
        others="\n".join(others),
        commands="\n".join(commands),
    )


def _row(network: ZooNetwork, result: ZooResult) -> str:
    height, width = network.size
    cells = (
        f"[{network.name}](#{network.key})",
        network.library,
        f"{width}x{height}",
        f"`{result.tap}`",
        f"{result.expected_cost:.2f}",
        f"{result.measured_cost:.2f}",
        f"{result.megabytes:.1f} MB",
        network.remark,
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(read_results()))
