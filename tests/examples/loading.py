# SPDX-License-Identifier: Apache-2.0
"""Load an example as a module."""

import importlib.util
import sys
from typing import Any

from tests.paths import EXAMPLES


def load_example(name: str) -> Any:
    """The module of ``examples/NAME.py``, under its name; it may import its neighbours, as it does when it is run."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLES))
    return module
