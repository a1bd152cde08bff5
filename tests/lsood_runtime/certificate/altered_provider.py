# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a provider that computes other numbers: the CPU provider's, changed in a way that the test knows."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

OPENVINO, CPU = "OpenVINOExecutionProvider", "CPUExecutionProvider"

Change = Callable[[str, Any], Any]
"""The name of an output and its value to the changed value."""


def stand_in(monkeypatch: pytest.MonkeyPatch, change: Change = lambda _name, value: value) -> None:
    """Let OpenVINO be there, and be the CPU provider whose outputs ``change`` replaces."""
    plain = ort.InferenceSession

    class Altered(plain):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, providers: Any, **options: Any) -> None:
            self._named = [name for name, _ in providers]
            super().__init__(*arguments, providers=[CPU], **options)

        def get_providers(self) -> list[str]:
            return self._named

        def get_provider_graph_assignment_info(self) -> list[Any]:
            parts = super().get_provider_graph_assignment_info()
            return [SimpleNamespace(ep_name=self._named[0], get_nodes=part.get_nodes) for part in parts]

        def run(self, names: Any, feed: Any, run_options: Any = None) -> list[Any]:
            values = super().run(names, feed, run_options)
            if OPENVINO not in self._named:
                return list(values)
            names = names or [output.name for output in self.get_outputs()]
            return [change(name, value.copy()) for name, value in zip(names, values, strict=True)]

    monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO, CPU])
    monkeypatch.setattr(ort, "InferenceSession", Altered)
