# SPDX-License-Identifier: Apache-2.0
"""The zoo's table: commands that the parser takes, and a page that shows what was measured."""

from pathlib import Path

import pytest

from export.cli.export import build_parser
from export.cli.flags import options_from
from export.pipeline.options import ExportOptions
from tests.zoo.network import ZooNetwork
from tests.zoo.results import PAGE, ZooResult, page, read_results
from tests.zoo.table import NETWORKS


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.key)
def test_command_of_a_network_gives_the_options_of_its_row(network: ZooNetwork) -> None:
    options = options_from(build_parser().parse(network.words()), ExportOptions)
    assert options.model == network.model
    assert dict(options.model_args) == {
        key: list(value) if isinstance(value, tuple) else value for key, value in network.arguments.items()
    }
    assert options.fuse
    if network.file is not None:
        file = Path(__file__).parent / "user_files" / network.file
        assert network.model.startswith(f"{file.stem}:")
        assert file.exists()


def test_networks_are_twenty_five_of_five_libraries_with_keys_of_their_own() -> None:
    assert len({network.key for network in NETWORKS}) == len(NETWORKS) == 25
    assert len({network.library for network in NETWORKS}) == 5


def test_results_are_of_networks_of_the_table() -> None:
    assert set(read_results()) <= {network.key for network in NETWORKS}


def test_page_shows_the_table_and_what_was_measured() -> None:
    assert PAGE.read_text() == page(read_results()), "python -m tests.zoo.results writes the page anew"


def test_page_without_a_figure_of_a_network_lists_it_with_its_remark() -> None:
    first, *others = NETWORKS
    text = page({network.key: ZooResult("layer4", 1.0, 1.01, 2.5) for network in others})
    assert f"- {first.name} ({first.library}): " in text
    assert f"{len(others)} of {len(NETWORKS)}" in text
