# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's telemetry is off wherever this project imports ONNX Runtime, and off means no file and no look-up."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnxruntime
import pytest

from tests.paths import EXAMPLES, ROOT

VARIABLE = "ORT_DISABLE_TELEMETRY"
BUNDLE = ROOT / "tests" / "data" / "bundles" / "schema-2"

_WATCH = f"""
import json, os, runpy, sys
import torch, pytorch_lightning  # once for all scripts, since they take seconds

def watch(event, arguments):
    if event == "import" and arguments[0] == "onnxruntime":
        os.write(write_end, json.dumps(os.environ.get("{VARIABLE}")).encode())
        os._exit(0)

assert not {{"onnxruntime", "export", "lsood_runtime"}} & set(sys.modules)
sys.addaudithook(watch)
found = {{}}
for script in json.loads(sys.argv[1]):
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        try:
            exec(script, {{"os": os, "sys": sys, "runpy": runpy}})
        finally:
            os._exit(1)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        found[script] = json.loads(pipe.read() or '"not imported"')
    os.waitpid(child, 0)
print(json.dumps(found))
"""

_SCORE = """
import sys, numpy, lsood_runtime
with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
    contract = monitor.manifest.input
    frame = numpy.ones((contract.frame_height, contract.frame_width, 3), numpy.uint8)
    monitor.assess(frame)
    print("scored", flush=True)
    sys.stdin.read()
    monitor.assess(frame)
"""


CONTINUOUS_INTEGRATION = (
    "APPVEYOR", "BUILDKITE", "CI", "CIRCLECI", "CODEBUILD_BUILD_ID", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL",
    "TEAMCITY_VERSION", "TF_BUILD", "TRAVIS",
)  # fmt: skip
"""Variables by which ONNX Runtime recognises continuous integration: it has no telemetry there."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``, without variables of telemetry, caches and continuous integration."""
    left_out = {VARIABLE, *CONTINUOUS_INTEGRATION}
    kept = {name: value for name, value in os.environ.items() if name not in left_out and not name.startswith("XDG_")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def at_first_import(scripts: Iterable[str]) -> dict[str, str | None]:
    """What the variable is when each script first imports ONNX Runtime; the scripts run in a process each."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _WATCH, json.dumps(list(scripts))],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def command(module: str, *arguments: str) -> str:
    return f"sys.argv = [{module!r}, *{arguments!r}]; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"


ENTRY_POINTS = {
    "lsood_runtime": "import lsood_runtime",
    "export": "import export.precision.int8",
    "lsood": command("lsood_runtime", "inspect", str(BUNDLE)),
    **{
        name: command("export", name, "--help") for name in ("benchmark", "calibrate", "evaluate", "evidence", "search")
    },
    "lsood-export": command("export", "--ckpt", "none.ckpt", "--frames", "none", "--out", "none"),
    "benchmarks": "import benchmarks.conftest",
    "tests": "import tests.conftest, onnxruntime",
    "tests/cuda/inside_wheel.py": "runpy.run_path('tests/cuda/inside_wheel.py')",
    "tests/cuda/inside_monitor.py": "runpy.run_path('tests/cuda/inside_monitor.py')",
    **{
        path.name: f"sys.path.insert(0, {str(EXAMPLES)!r}); runpy.run_path({str(path)!r}); import onnxruntime"
        for path in sorted(EXAMPLES.glob("*.py"))
        if re.search(r"^(from|import) (export|lsood_runtime|onnxruntime|training)\b", path.read_text(), re.MULTILINE)
    },
}
"""Scripts by name; of the examples those that import ONNX Runtime, by themselves or through a package."""
OWN_VALUE = [
    f"os.environ[{VARIABLE!r}] = '0'; import {module}" for module in ("lsood_runtime", "export.precision.int8")
]


@pytest.fixture(scope="module")
def at_entry() -> dict[str, str | None]:
    return at_first_import([*ENTRY_POINTS.values(), *OWN_VALUE, "import onnxruntime"])


@pytest.mark.parametrize("script", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_entry_point_when_onnx_runtime_is_first_imported_has_telemetry_off(
    at_entry: Mapping[str, str | None], script: str
) -> None:
    assert at_entry[script] == "1"


def test_onnx_runtime_imported_alone_leaves_telemetry_as_it_is(at_entry: Mapping[str, str | None]) -> None:
    """The test above can fail."""
    assert at_entry["import onnxruntime"] is None


@pytest.mark.parametrize("script", OWN_VALUE)
def test_package_with_a_value_of_the_users_own_keeps_it(at_entry: Mapping[str, str | None], script: str) -> None:
    assert at_entry[script] == "0"


def test_cpp_library_before_it_makes_an_environment_has_telemetry_off() -> None:
    sources = {path: path.read_text() for path in (ROOT / "cpp" / "src").rglob("*.cpp")}
    made = [text for text in sources.values() if "Ort::Env" in text]
    assert len(made) == 1
    assert re.search(rf'setenv\("{VARIABLE}", "1", 0\);\s*return Ort::Env\(', made[0])
    assert made[0].count("return Ort::Env(") == 1


@cache
def knows_telemetry() -> bool:
    """Whether the installed ONNX Runtime has telemetry to turn off: wheels before 1.29 have none."""
    libraries = Path(onnxruntime.__file__).parent.glob("capi/*.so*")
    return any(VARIABLE.encode() in library.read_bytes() for library in libraries)


def files_below_home(home: Path, **variables: str) -> list[str]:
    """Names of the files that scoring a frame leaves below a home folder that was empty."""
    home.mkdir()
    command = [sys.executable, "-c", _SCORE, str(BUNDLE)]
    subprocess.run(
        command, env=environment(HOME=str(home), **variables), input="", text=True, check=True, stdout=subprocess.PIPE
    )
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_scoring_by_default_leaves_no_file_below_the_home_folder(tmp_path: Path) -> None:
    assert files_below_home(tmp_path / "home") == []


def test_scoring_with_telemetry_allowed_by_the_user_leaves_files(tmp_path: Path) -> None:
    """The test above can fail."""
    if not knows_telemetry():
        pytest.skip("the installed ONNX Runtime has no telemetry")
    assert "onnxruntime.db" in files_below_home(tmp_path / "home", **{VARIABLE: "0"})


_CHANGES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|\b(creat|mkdir|mknod|rename|link|symlink|unlink|truncate|chmod)\w*\(")
_LOOK_UPS = re.compile(r"\bsocket\(|\b(connect|sendto|sendmsg|sendmmsg)\(|/etc/(resolv\.conf|hosts|nsswitch\.conf)")


@dataclass
class Traced:
    """A process that has scored a frame and waits; strace notes its files and sockets, and lets nothing out."""

    process: "subprocess.Popen[str]"
    log: Path

    def matches(self, pattern: re.Pattern[str]) -> list[str]:
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if pattern.search(line) and '"/dev/' not in line]


def trace_scoring(folder: Path, **variables: str) -> Traced:
    folder.mkdir()
    no_network = "inject=connect,sendto,sendmsg,sendmmsg:error=ENETUNREACH"
    strace = ["strace", "-f", "-qq", "-e", "trace=%file,%network", "-e", no_network, "-o", str(folder / "trace")]
    process = subprocess.Popen(
        [*strace, sys.executable, "-B", "-c", _SCORE, str(BUNDLE)],
        env=environment(HOME=str(folder), **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "scored\n"
    return Traced(process, folder / "trace")


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Traced]]:
    """Scoring by default and with telemetry allowed, kept alive until the second has looked a name up."""
    if not shutil.which("strace") or subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode:
        pytest.skip("strace is missing, or may not trace here")
    folder = tmp_path_factory.mktemp("traces")
    both: dict[str, Traced] = {}
    try:
        both["default"] = trace_scoring(folder / "default")
        both["allowed"] = trace_scoring(folder / "allowed", **{VARIABLE: "0"})
        for _ in range(60):
            if not knows_telemetry() or both["allowed"].matches(_LOOK_UPS):
                break
            time.sleep(1)
        for traced in both.values():
            traced.process.communicate("")
            assert traced.process.returncode == 0
        yield both
    finally:
        for traced in both.values():
            traced.process.kill()


@pytest.mark.slow
def test_scoring_by_default_writes_no_file_and_looks_no_name_up(traces: Mapping[str, Traced]) -> None:
    assert traces["default"].matches(_CHANGES) == []
    assert traces["default"].matches(_LOOK_UPS) == []
    assert traces["default"].matches(re.compile(r"detector\.onnx")), "strace saw nothing"


@pytest.mark.slow
def test_scoring_with_telemetry_allowed_by_the_user_is_seen_by_strace(traces: Mapping[str, Traced]) -> None:
    """The test above can fail."""
    if not knows_telemetry():
        pytest.skip("the installed ONNX Runtime has no telemetry")
    assert any("onnxruntime.db" in line for line in traces["allowed"].matches(_CHANGES))
    assert traces["allowed"].matches(_LOOK_UPS)
