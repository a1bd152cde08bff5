# SPDX-License-Identifier: Apache-2.0
"""No command and no example writes a file outside the paths that were named and a temporary folder, or uses the network."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import EXAMPLES, FROZEN_BUNDLE
from tests.recorded_calls import can_trace
from tests.test_telemetry import environment, knows_telemetry
from tests.writing_commands import WRITING_COMMANDS, WritingCommand

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is missing, or may not trace here")

_CHANGES = re.compile(
    r"O_WRONLY|O_RDWR|O_CREAT|\b(creat|mkdir|mknod|rename|link|symlink|unlink|rmdir|truncate|chmod)\w*\("
)
_FAILED = re.compile(r" = -1 E")
_NETWORK = re.compile(r"\bsocket\(AF_(INET|PACKET)|sa_family=AF_INET|/etc/(resolv\.conf|hosts\b)")
_PLACE = re.compile(r'"(/[^"]*)"')
_NAMED_ON_THE_PAGE = re.compile(r"^/(dev|proc)/|/__pycache__(/|$)")
"""Devices; and compiled code, which Python and numba keep beside the source."""


def outside(folder: Path, *words: str | Path, **variables: str) -> list[str]:
    """Lines of strace for what a command changed outside ``folder``, and for its uses of the network.

    Args:
        folder: holds its outputs, its temporary files and its working folder; its home lies beside it.
        words: of the command.
        variables: of its environment.
    """
    home, log = folder.with_name(f"{folder.name}-home"), folder.with_name(f"{folder.name}-log")
    for made in (home, folder / "tmp"):
        made.mkdir(parents=True)
    no_network = "inject=connect,sendto,sendmsg,sendmmsg:error=ENETUNREACH"
    strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=%file,%network",
        "-e",
        no_network,
    ]
    own = {"HOME": str(home), "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"} | variables
    left_out = ("MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    done = subprocess.run(
        [*strace, "-o", log, *words],
        cwd=folder,
        env={name: value for name, value in environment(**own).items() if name not in left_out or name in variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    lines = log.read_text(errors="replace").splitlines()
    assert any(_CHANGES.search(line) or "O_RDONLY" in line for line in lines), "strace saw nothing"
    found = [line for line in lines if _NETWORK.search(line)]
    for line in lines:
        if _CHANGES.search(line) and not _FAILED.search(line):
            places = [Path(place) for place in _PLACE.findall(line)]
            places = places[-1:] if " symlink" in line else places  # what it points to stays as it is
            within = all(folder in place.parents or _NAMED_ON_THE_PAGE.search(str(place)) for place in places)
            if not within:
                found.append(line)
    return found + [str(path) for path in home.rglob("*")]


def test_score_with_a_picture_changes_nothing_outside_its_outputs_and_uses_no_network(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 160, 3), np.uint8)
    Image.fromarray(frame).save(tmp_path / "frame.png")
    command = [sys.executable, "-m", "lsood_runtime", "score", str(FROZEN_BUNDLE), str(tmp_path / "frame.png")]
    run = tmp_path / "run"
    assert outside(run, *command, "--out", run / "r.csv", "--thumbnails", run / "t.png") == []
    assert (run / "t.png").is_file()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("open('OUT-home/x', 'w')", "/x"),
        ("import os; os.mkdir('OUT-home/x')", "/x"),
        ("import socket; socket.create_connection(('192.0.2.1', 9))", "AF_INET"),
        ("import socket; socket.getaddrinfo('example.invalid', 1)", "/etc/resolv.conf"),
    ],
)
def test_script_that_leaves_its_folder_or_uses_the_network_is_found(tmp_path: Path, script: str, found: str) -> None:
    """The other tests can fail."""
    lines = outside(tmp_path / "run", sys.executable, "-c", script.replace("OUT", str(tmp_path / "run")))
    assert any(found in line for line in lines), lines


@pytest.mark.skipif(not knows_telemetry(), reason="the installed ONNX Runtime has no telemetry")
def test_import_with_telemetry_allowed_by_the_user_is_found(tmp_path: Path) -> None:
    """The other tests see telemetry in runs that end before the first look-up, by its files."""
    lines = outside(tmp_path / "run", sys.executable, "-c", "import lsood_runtime", ORT_DISABLE_TELEMETRY="0")
    assert any(".onnxruntime" in line for line in lines), lines


def test_matplotlib_in_a_folder_that_the_user_names_stays_there(tmp_path: Path) -> None:
    script = (
        "from lsood_runtime._cli.matplotlib_figure import figure_class; figure_class(); import matplotlib.font_manager"
    )
    named = tmp_path / "run" / "named"
    assert outside(tmp_path / "run", sys.executable, "-c", script, MPLCONFIGDIR=str(named)) == []
    assert list(named.iterdir())
    assert not list((tmp_path / "run" / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING_COMMANDS.values(), ids=WRITING_COMMANDS)
def test_command_changes_nothing_outside_its_outputs_and_uses_no_network(
    tmp_path: Path, command: WritingCommand, bundle: Path, frames: Path, checkpoint: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(bundle, run / "outputs" / "monitor")
    words = command.with_inputs(bundle, frames, checkpoint)
    assert outside(run, sys.executable, "-m", *(word.replace("OUT", str(run / "outputs")) for word in words)) == []
    assert all((run / "outputs" / out).exists() for out in command.outs)


def _but_fonts(lines: list[str]) -> list[str]:
    """Lines other than those of matplotlib's list of fonts, which the page names for examples."""
    return [line for line in lines if not re.search(r"-home/\.(cache|config)(/matplotlib|\"|$)", line)]


HELPED = sorted(path for path in EXAMPLES.glob("*.py") if "argparse" in path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("example", HELPED, ids=lambda path: path.name)
def test_example_that_is_imported_changes_nothing_and_uses_no_network(tmp_path: Path, example: Path) -> None:
    assert _but_fonts(outside(tmp_path / "run", sys.executable, example, "--help")) == []


SMALL_RUNS = {
    "kernel_density_error": [],
    "../benchmarks/verification_cost": ["BUNDLE", "--pairs", "1"],
    "anomaly_sheet": ["--out", "OUT/sheet.jpg", "--width", "64"],
    "contact_sheet": ["--out", "OUT"],
    "cutout_sheet": ["--out", "OUT/sheet.jpg", "--width", "64"],
    "drawn_drive": ["--out", "OUT/drive", "--frames", "3"],
    "resizer_difference": ["FRAMES/0000.png", "--input-size", "64", "128"],
    "alarm_simulation": ["BUNDLE", "--drives", "7", "--rules", "3of5", "--together", "1", "--seconds", "20"],
    "threshold_simulation": ["--repeats", "2", "--drives", "5"],
    "promises": ["BUNDLE", "--repeats", "3", "--parts", "warnings"],
    "degradation_statistics": ["--frames", "FRAMES", "--every", "20", "--kinds", "fog", "--severities", "3"],
    "train_demo": ["--out", "OUT/demo.ckpt", "--scenes", "8", "--epochs", "1"],
}
"""Arguments with which an example does all that it does, in little time."""


@pytest.mark.slow
@pytest.mark.parametrize("example", SMALL_RUNS)
def test_example_that_runs_changes_nothing_outside_its_outputs_and_uses_no_network(
    tmp_path: Path, example: str, frames: Path
) -> None:
    run = tmp_path / "run"
    places = {"OUT": str(run / "outputs"), "FRAMES": str(frames), "BUNDLE": str(FROZEN_BUNDLE)}
    words = list[str]()
    for word in SMALL_RUNS[example]:
        name, slash, rest = word.partition("/")
        words.append(f"{places.get(name, name)}{slash}{rest}")
    (run / "outputs").mkdir(parents=True)
    assert _but_fonts(outside(run, sys.executable, EXAMPLES / f"{example}.py", *words)) == []


@pytest.mark.slow
def test_demo_changes_nothing_outside_its_folder_and_uses_no_network(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    assert _but_fonts(outside(run, sys.executable, EXAMPLES / "demo.py", "--out", run / "demo", "--scenes", "60")) == []
    assert (run / "demo" / "scores.png").is_file()


@pytest.mark.slow
def test_fused_graph_example_changes_nothing_and_uses_no_network(
    tmp_path: Path, export_fused: Path, frames: Path
) -> None:
    assert (
        outside(tmp_path / "run", sys.executable, EXAMPLES / "fused_graph.py", export_fused, frames / "0000.png") == []
    )


@pytest.fixture(scope="module")
def export_fused(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True) / "monitor.onnx"
