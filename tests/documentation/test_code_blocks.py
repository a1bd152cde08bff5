# SPDX-License-Identifier: Apache-2.0
"""The code blocks of the README and of every page run as they stand, in the order of the page."""

import re
import shlex
import shutil
from pathlib import Path

import markdown
import pytest

from mkdocs_hooks.command_line import COMMANDS
from mkdocs_hooks.diagrams import mermaid_as_svg
from tests.documentation.pages import PAGES, PAIRS, README, Page
from tests.documentation.reader import EXPORT, Reader
from tests.paths import ROOT
from tests.zoo.table import NETWORKS

RUNNABLE = [
    page
    for page in PAGES
    if page != PAIRS
    and any(block.language in ("bash", "python") for block in page.blocks)  # tests/documentation/test_pairs.py
]
LANGUAGES = {
    "bash",
    "cpp",
    "python",
    "yaml",
    "text",
    "output",
    "mermaid",
}  # output: of the command before, with a test of its own
# What a command in a `text` block needs that no test has; every other command stands in a `bash` block and runs.
MISSING = (
    "CAMVID",
    "IDD.ckpt",
    "runs/idd",
    "runs/a.json",
    "runs/many-frames",
    "DAY/",
    "MONITOR/",
    "VAL/",
    "judged.npz",
    "day.npz",
    "runs/monitor",
    "drive.mcap",
    "NEW.json",
    "VERSION",
    "make bench",
    "pytest benchmarks",
    "cmake",
    "*.ppm",
)
DRY_RUN = "python -m export --ckpt runs/mine.ckpt --model my_network:SmallNetwork --dry-run"
GPU_PACK = (
    "python -m benchmarks.gpu_pack make PACK/",
    "python run.py --provider cuda",
    "python -m benchmarks.report PACK/results.json --out REPORT/",
)
RUNS_ELSEWHERE = {
    DRY_RUN: "tests/documentation/test_dry_run.py",
    "python examples/guide.py --out runs/guide": "tests/export/guide/test_guide_script.py",
    "pytest tests/lsood_runtime --junitxml results.xml": "tests/export/evidence/test_junit_results.py",
    **dict.fromkeys(GPU_PACK, "tests/benchmarks/test_gpu_pack.py"),
    **{network.command(): "tests/zoo/test_zoo.py" for network in NETWORKS},
}


@pytest.mark.parametrize("page", RUNNABLE, ids=str)
def test_code_blocks_of_a_page_in_order_run(page: Page, reader: Reader, exported: Path) -> None:
    if any("lsood_runtime push" in command for block in page.blocks for command in block.commands):
        pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    if not any(EXPORT in block.commands for block in page.blocks):
        shutil.copytree(exported, "monitor")
    for block in page.blocks:
        reader.run(block)


def test_code_blocks_of_all_pages_use_every_command() -> None:
    run = [
        shlex.split(command)
        for page in PAGES
        for block in page.blocks
        if block.language == "bash"
        for command in block.commands
    ]
    for command in COMMANDS:
        if command != ("lsood_runtime",):  # does nothing without a command of its own
            assert any(words[2 : 2 + len(command)] == list(command) for words in run), command


def test_code_blocks_of_the_readme_export_and_score() -> None:
    commands = [command for block in README.blocks if block.language == "bash" for command in block.commands]
    assert [" ".join(shlex.split(command)[2:4]) for command in commands if command.startswith("python -m ")] == [
        "export --ckpt",
        "lsood_runtime inspect",
        "lsood_runtime score",
        "lsood_runtime watch",
        "export evaluate",
    ]
    assert EXPORT in commands
    assert [block.language for block in README.blocks].count("python") == 1


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_code_blocks_of_a_page_have_a_known_language(page: Page) -> None:
    assert {block.language for block in page.blocks} <= LANGUAGES
    html = markdown.markdown(page.prose, extensions=["tables"])
    assert "<pre><code>" not in html, "an indented block, which no test would run"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_text_blocks_of_a_page_hold_no_command_that_could_run(page: Page) -> None:
    for block in page.blocks:
        if block.language == "text":
            for command in block.commands:
                if re.match(r"(python|lsood|make|pytest|pip) ", command):
                    elsewhere = RUNS_ELSEWHERE.get(command)
                    assert elsewhere or any(word in command for word in MISSING), command
                    assert elsewhere is None or (ROOT / elsewhere).is_file()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_diagrams_of_a_page_can_be_drawn(page: Page) -> None:
    for block in page.blocks:
        if block.language == "mermaid":
            assert "</svg>" in mermaid_as_svg(block.text, "mermaid", "diagram", {}, None)
