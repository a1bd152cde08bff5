# SPDX-License-Identifier: Apache-2.0
"""Import a Python file that belongs to no installed package, by its path, with what lies beside it."""

import functools
import hashlib
import importlib
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import ModuleType


@contextmanager
def importable_folder(folder: Path) -> Iterator[None]:
    """Put a folder first on the import path; what is imported from it is forgotten afterwards.

    Two folders may hold modules of the same name, such as ``blocks``: each finds its own. Modules of Python and of installed
    packages are not replaced.
    """
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_hidden_by(name, folder)}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name, module in sys.modules.items() if name not in before and _lies_in(module, folder)]:
            if not name.startswith(_PACKAGE):
                del sys.modules[name]
        sys.modules.update(hidden)


def root_of(path: Path) -> Path:
    """The folder that has to be importable for a file: its own, or the one that holds its package."""
    root = path.resolve().parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def import_file(path: Path) -> ModuleType:
    """Import a Python file; to be called within :func:`importable_folder` of its root.

    ``import blocks`` finds the module of that name beside the file, and ``from .blocks import Block`` does too, since a
    folder that is no package counts as one. A file within a package is imported under its full name.

    Args:
        path: of a file that exists.

    Raises:
        Exception: whatever the file raises.
    """
    path, root = path.resolve(), root_of(path)
    if root != path.parent:
        return importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
    package = ModuleType(f"{_PACKAGE}{hashlib.sha256(str(root).encode()).hexdigest()[:12]}")
    package.__path__ = [str(root)]
    for name in [name for name in sys.modules if name.partition(".")[0] == package.__name__]:
        del sys.modules[name]  # of an earlier call: the file may have changed
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.{path.stem}")


def called_in_folder(target: Callable[..., object], folder: Path) -> Callable[..., object]:
    """The same function or class, of which a call may import what lies in the folder."""

    @functools.wraps(target, updated=())
    def call(*arguments: object, **options: object) -> object:
        with importable_folder(folder):
            return target(*arguments, **options)

    call.__dict__["in_folder"] = (target, folder)
    return call


def class_of(target: Callable[..., object]) -> Callable[..., object]:
    """What :func:`called_in_folder` was given; anything else as it is."""
    found = _in_folder(target)
    return target if found is None else found[0]


def importable_for(target: Callable[..., object]) -> AbstractContextManager[None]:
    """:func:`importable_folder` of a target of :func:`called_in_folder`; nothing to do for any other."""
    found = _in_folder(target)
    return nullcontext() if found is None else importable_folder(found[1])


def _in_folder(target: Callable[..., object]) -> tuple[Callable[..., object], Path] | None:
    found: tuple[Callable[..., object], Path] | None = getattr(target, "in_folder", None)
    return found


_PACKAGE = "_folder_"
_KEPT = {"export", "lsood_runtime", "__main__", *sys.stdlib_module_names}
_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))


def _is_hidden_by(name: str, folder: Path) -> bool:
    """Whether a folder holds another module of the name of one that is imported."""
    top = name.partition(".")[0]
    if top in _KEPT or not ((folder / f"{top}.py").is_file() or (folder / top).is_dir()):
        return False
    return not _lies_in(sys.modules[name], folder, *_INSTALLED)


def _lies_in(module: ModuleType, *folders: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and any(Path(file).resolve().is_relative_to(folder) for folder in folders)
