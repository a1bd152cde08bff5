# SPDX-License-Identifier: Apache-2.0
"""No-op stand-ins for the NVIDIA libraries that ONNX Runtime's GPU providers link against.

Choosing a provider for each node is host code. With libraries that load and answer, the real wheel does it on a machine
without a GPU. It computes nothing there.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

RUNTIME_SOURCE = Path(__file__).with_name("runtime_stub.c")
_LIBRARY = re.compile(r"\(NEEDED\).*\[(lib(?:cu|nv)[\w.]+)\]")
_SYMBOL = re.compile(r"^\s+U (\w+)(?:@(\S+))?$", re.MULTILINE)
_DEFINED = re.compile(r"^(?:int|void|const char) \**(\w+)\(", re.MULTILINE)
_FROM_ONNX_RUNTIME = "Provider_GetHost"


def build_stubs(providers: Sequence[Path], headers: Path, folder: Path) -> None:
    """Compile one shared library for each NVIDIA library that the providers need, with the symbols that they ask of it.

    A symbol without a version does not say whose it is; every library that versions nothing gets all of those.

    Args:
        providers: ``libonnxruntime_providers_*.so`` of a wheel.
        headers: folder that holds the CUDA runtime's ``driver_types.h``.
        folder: where the libraries go; made if missing. Put it on ``LD_LIBRARY_PATH``.

    Raises:
        subprocess.CalledProcessError: a compiler or binutils call failed.
    """
    symbols: dict[str, set[str]] = defaultdict(set)
    libraries: set[str] = set()
    for provider in providers:
        libraries.update(_LIBRARY.findall(_output("readelf", "--dynamic", "--wide", provider)))
        for name, library in _SYMBOL.findall(_output("nm", "--dynamic", "--undefined-only", provider)):
            symbols[library].add(name)
    unversioned = symbols[""] - {_FROM_ONNX_RUNTIME}
    folder.mkdir(parents=True, exist_ok=True)
    for library in libraries:
        _compile(library, symbols.get(library), unversioned, headers, folder)


def _compile(library: str, versioned: set[str] | None, unversioned: set[str], headers: Path, folder: Path) -> None:
    names, options, source = versioned or unversioned, [], ""
    if versioned:
        version_script = folder / f"{library}.map"
        version_script.write_text(f"{library} {{ global: *; }};\n")
        options = [f"-Wl,--version-script={version_script}"]
    if library.startswith("libcudart.so."):
        source = RUNTIME_SOURCE.read_text()
        options += [f"-I{headers}", f"-DCUDA_VERSION={library.removeprefix('libcudart.so.')}000"]
    rest = sorted(names - set(_DEFINED.findall(source)))
    source += "".join(f"long {name}() {{ return 0; }}\n" for name in rest) or "int nothing_is_asked_of_this_library;\n"
    path = folder / f"{library}.c"
    path.write_text(source)
    _output("gcc", "-shared", "-fPIC", "-w", "-o", folder / library, path, f"-Wl,-soname,{library}", *options)


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
