# SPDX-License-Identifier: Apache-2.0
"""The names that users rely on, and that nothing outside of the runtime goes behind them."""

import ast
from collections.abc import Iterator
from types import ModuleType

import pytest

import lsood_runtime
import lsood_runtime.offline
from tests.paths import ROOT

PACKAGE = "lsood_runtime"
PUBLIC = [
    "SCHEMA",
    "AlarmChoice",
    "AlarmState",
    "Assessment",
    "BundleError",
    "CalibrationRecord",
    "CameraError",
    "CameraSummary",
    "ClosedError",
    "Cusum",
    "DailySummary",
    "Evidence",
    "FalseAlarms",
    "FrameError",
    "FrameSelector",
    "History",
    "HubBundle",
    "Hysteresis",
    "KOfN",
    "LatestFrameWorker",
    "LsoodError",
    "Manifest",
    "MediaError",
    "MinimumDuration",
    "OoDMonitor",
    "Pick",
    "PixelRules",
    "Policy",
    "Provider",
    "ProviderError",
    "QualityAlarm",
    "ScoreHistogram",
    "Selection",
    "SelfTest",
    "SelfTestError",
    "State",
    "Stream",
    "StreamAssessment",
    "SummaryCounts",
    "SummaryRecorder",
    "TileCheck",
    "TileCheckError",
    "UnknownObject",
    "__version__",
    "choose_alarm",
    "decode_message",
    "expected_false_alarms",
    "pack_bundle",
    "parse_policy",
    "pull_bundle",
    "push_bundle",
    "read_manifest",
    "read_summaries",
    "write_summaries",
]


def private_imports(source: str) -> Iterator[str]:
    """Modules of the runtime with a leading underscore that ``source`` imports, or reads as an attribute."""
    for node in ast.walk(ast.parse(source)):
        dotted: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute):
            dotted = [ast.unparse(node)]
        for name in dotted:
            package, *parts = name.split(".")
            private = [part for part in parts if part.startswith("_") and not part.startswith("__")]
            if package == PACKAGE and private:
                yield name


def test_public_names_are_those_that_users_rely_on() -> None:
    assert sorted(lsood_runtime.__all__) == sorted(PUBLIC)
    assert len(set(lsood_runtime.__all__)) == len(lsood_runtime.__all__)
    defined = {
        name
        for name, value in vars(lsood_runtime).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert defined | {"__version__"} == set(lsood_runtime.__all__)


def test_offline_names_are_all_listed() -> None:
    module = lsood_runtime.offline
    defined = {name for name, value in vars(module).items() if not name.startswith("_") and value is not module}
    assert defined == set(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("folder", ["export", "examples"])
def test_imports_outside_of_the_runtime_are_public_names(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, "a folder without code would prove nothing"
    found = {f"{path.relative_to(ROOT)}: {name}" for path in files for name in private_imports(path.read_text())}
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "from lsood_runtime._bundle.reader import open_bundle",
        "from lsood_runtime import _monitor",
        "import lsood_runtime._cli.main as cli",
        "import lsood_runtime\nlsood_runtime._monitor.OoDMonitor",
        "def f():\n    from lsood_runtime._exceptions import LsoodError",
    ],
)
def test_private_imports_anywhere_in_a_module_are_found(source: str) -> None:
    assert list(private_imports(source))


@pytest.mark.parametrize(
    "source",
    ["from lsood_runtime import OoDMonitor, __version__", "import lsood_runtime.offline", "from export._x import y"],
)
def test_private_imports_public_names_are_not_reported(source: str) -> None:
    assert not list(private_imports(source))


def test_offline_names_are_used_outside_of_the_runtime() -> None:
    files = [path for folder in ("export", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    used = {
        alias.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == f"{PACKAGE}.offline"
        for alias in node.names
    }
    used |= set(lsood_runtime.__all__)
    assert set(lsood_runtime.offline.__all__) - used == set()
    assert used - set(lsood_runtime.offline.__all__) - set(lsood_runtime.__all__) == set()
