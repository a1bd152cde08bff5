# SPDX-License-Identifier: Apache-2.0
"""Both commands end in one line, with their own codes, where a package is missing or Ctrl-C comes in their imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from lsood_runtime._command_start import Stopped, runs_command, stop_behind

COMMANDS = {"lsood_runtime": ["inspect", "monitor"], "export": ["--list-layers", "--ckpt", "x.ckpt"]}
SPOIL = """
import sys
class Spoiler:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise {error}
sys.meta_path.insert(0, Spoiler())
"""


def run_with(folder: Path, package: str, name: str, error: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process in which the import of a module raises an error, as Python itself starts it."""
    folder.joinpath("sitecustomize.py").write_text(SPOIL.format(name=name, error=error))
    path = {"PYTHONPATH": f"{folder}:{Path.cwd()}", "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-m", package, *COMMANDS[package]]
    return subprocess.run(words, env=path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("lsood_runtime", "numpy"),
        ("lsood_runtime", "onnxruntime"),
        ("lsood_runtime", "lsood_runtime._monitor"),
        ("lsood_runtime", "lsood_runtime._cli.watch"),
        ("export", "numpy"),
        ("export", "torch"),
        ("export", "lsood_runtime"),
        ("export", "export.cli.console"),
    ],
)
def test_command_interrupted_in_its_imports_ends_with_130_in_one_line(tmp_path: Path, package: str, name: str) -> None:
    done = run_with(tmp_path, package, name, "KeyboardInterrupt")
    prog = "lsood" if package == "lsood_runtime" else "export"
    assert done.returncode == 130
    assert done.stderr.startswith(f"{prog}: interrupted")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize(("package", "name"), [("lsood_runtime", "lsood_runtime._cli.watch"), ("export", "numpy")])
def test_command_stopped_in_its_imports_has_the_code_of_the_first_signal(
    tmp_path: Path, package: str, name: str, traced: bool
) -> None:
    """Also where a module in C makes an error of the stop without a trace of it, and where a second one comes at the end."""
    raised = f"""stopped({traced})
import atexit, os, signal

def stopped(traced):
    atexit.register(os.kill, os.getpid(), signal.SIGHUP)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException as stop:
        return stop if traced else ImportError("initialization failed")
"""
    done = run_with(tmp_path, package, name, raised)
    prog = "lsood" if package == "lsood_runtime" else "export"
    assert done.returncode == 143, done.stderr
    assert done.stderr.startswith(f"{prog}: stopped by SIGTERM")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("package", "name", "remedy"),
    [
        ("lsood_runtime", "onnxruntime", "lsood_runtime needs ONNX Runtime: pip install onnxruntime"),
        ("lsood_runtime", "numpy", "No module named"),
        ("export", "onnxruntime", "pip install onnxruntime"),
        ("export", "torch", "install the wheels of lsood-export"),
    ],
)
def test_command_without_a_package_ends_with_2_in_one_line(
    tmp_path: Path, package: str, name: str, remedy: str
) -> None:
    done = run_with(tmp_path, package, name, f"ModuleNotFoundError({f'No module named {name}'!r}, name={name!r})")
    assert done.returncode == 2, "1 means an alarm"
    assert remedy in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_command_that_fails_in_its_imports_otherwise_ends_with_3(tmp_path: Path) -> None:
    done = run_with(tmp_path, "lsood_runtime", "lsood_runtime._cli.watch", "RuntimeError('broken')")
    assert (done.returncode, done.stderr) == (3, "lsood: unexpected error: RuntimeError: broken\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("python -m lsood_runtime score", True),
        ("python -X dev -W ignore -m lsood_runtime", True),
        ("python -X lsood script.py", False),
        ("python -I -m lsood_runtime", True),
        ("python /usr/bin/lsood watch", True),
        ("python -m pytest tests -m lsood_runtime", False),
        ("python script.py -m lsood_runtime", False),
        ("python -m export", False),
        ("python -c import", False),
        ("python", False),
    ],
)
def test_runs_command_of_any_command_line_knows_ours(words: str, expected: bool) -> None:
    assert runs_command(words.split()) == expected


def test_import_by_another_program_leaves_its_hook(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; before = sys.excepthook; import lsood_runtime; assert sys.excepthook is before")
    subprocess.run([sys.executable, str(script)], check=True, cwd=Path.cwd(), env={"PYTHONPATH": str(Path.cwd())})


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Stopped(15)])
def test_stop_behind_an_error_that_python_makes_of_a_stop_is_the_stop(stop: BaseException) -> None:
    class Descriptor:
        def __set_name__(self, owner: type, name: str) -> None:
            raise stop

    with pytest.raises(BaseException, match=r"__set_name__|^$|SIGTERM") as wrapped:
        type("Owner", (), {"field": Descriptor()})
    assert stop_behind(wrapped.value) is stop
    assert stop_behind(ImportError("a package is missing")) is None
