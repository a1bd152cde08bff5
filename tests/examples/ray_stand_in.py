# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Ray that runs each task at once, on copies of its arguments, as processes of Ray get them."""

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class RayStandIn(SimpleNamespace):
    """The module ``ray`` as far as the examples use it.

    Attributes:
        tasks: run so far.
    """

    def __init__(self) -> None:
        super().__init__(remote=self._remote, get=pickle.loads, tasks=0)

    def _remote(self, function: Callable[..., Any]) -> SimpleNamespace:
        def run(*arguments: Any) -> bytes:
            self.tasks += 1
            given = [pickle.loads(each) if isinstance(each, bytes) else each for each in arguments]
            return pickle.dumps(function(*given))

        return SimpleNamespace(remote=run)
