# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Ray that runs each task at once, on copies of its arguments, as processes of Ray get them."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class _Failed:
    """What stands for a task that raised, until somebody asks for its result."""

    error: Exception


class RayStandIn(SimpleNamespace):
    """The module ``ray`` as far as the examples use it.

    Attributes:
        tasks: run so far.
        waited: tasks that were waited for, whatever came of them.
    """

    def __init__(self) -> None:
        super().__init__(remote=self._remote, get=self._get, wait=self._wait, tasks=0, waited=0)

    def _remote(self, function: Callable[..., Any]) -> SimpleNamespace:
        def run(*arguments: Any) -> bytes | _Failed:
            self.tasks += 1
            failed = next((each for each in arguments if isinstance(each, _Failed)), None)
            if failed is not None:
                return failed
            given = [pickle.loads(each) if isinstance(each, bytes) else each for each in arguments]
            try:
                return pickle.dumps(function(*given))
            except Exception as error:
                return _Failed(error)

        return SimpleNamespace(remote=run)

    def _get(self, result: bytes | _Failed) -> Any:
        if isinstance(result, _Failed):
            raise result.error
        return pickle.loads(result)

    def _wait(self, results: Sequence[bytes | _Failed], num_returns: int) -> None:
        assert num_returns == len(results)
        self.waited += num_returns
