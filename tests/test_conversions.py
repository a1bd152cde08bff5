# SPDX-License-Identifier: Apache-2.0
"""The cache of conversions tells networks apart by everything that a graph depends on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx.parser
import onnx_ir
import pytest
import torch
from torch import Tensor, fx, nn
from torch.onnx._internal.exporter._registration import ONNXRegistry

from export.layers.dropblock import DropBlock2D
from tests.conversions import converted_once, fingerprint, operators_read_once
from tests.networks import DropBlockAtTap, DropoutUNet
from tests.paths import ROOT

INPUTS = (torch.zeros(2, 3, 8, 8),)
OPTIONS: dict[str, Any] = {"opset_version": 20, "output_names": ["y"]}


def network(seed: int = 0, drop_prob: float = 0.5) -> DropBlockAtTap:
    torch.manual_seed(seed)
    return DropBlockAtTap(DropBlock2D(drop_prob, 3))


class Scaled(nn.Module):
    """A network whose code depends on how it was traced."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_fingerprint_of_an_equal_network_is_equal() -> None:
    assert fingerprint(network(), INPUTS, OPTIONS) == fingerprint(network(), (torch.ones(2, 3, 8, 8),), OPTIONS)
    traced = [fingerprint(fx.symbolic_trace(Scaled(2)), INPUTS, OPTIONS) for _ in range(2)]
    assert traced[0] == traced[1] is not None


def test_fingerprint_in_another_process_is_equal() -> None:
    code = "from tests.test_conversions import *; print(fingerprint(network(), INPUTS, OPTIONS))"
    words = [sys.executable, "-c", code]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == fingerprint(network(), INPUTS, OPTIONS)


@pytest.mark.parametrize(
    ("change", "inputs", "options"),
    [
        (lambda: network(seed=1), INPUTS, OPTIONS),
        (lambda: network(drop_prob=0.4), INPUTS, OPTIONS),
        (lambda: network().eval(), INPUTS, OPTIONS),
        (lambda: network().double(), INPUTS, OPTIONS),
        (DropoutUNet, INPUTS, OPTIONS),
        (network, (torch.zeros(2, 3, 8, 9),), OPTIONS),
        (network, (torch.zeros(2, 3, 8, 8, dtype=torch.uint8),), OPTIONS),
        (network, INPUTS, OPTIONS | {"opset_version": 21}),
    ],
)
def test_fingerprint_of_any_change_differs(
    change: Callable[[], nn.Module], inputs: tuple[Tensor, ...], options: dict[str, Any]
) -> None:
    assert fingerprint(change(), inputs, options) != fingerprint(network(), INPUTS, OPTIONS)


def test_fingerprint_of_traced_code_differs_with_the_code() -> None:
    two, three = (fingerprint(fx.symbolic_trace(Scaled(factor)), INPUTS, OPTIONS) for factor in (2, 3))
    assert two != three


def test_fingerprint_of_a_class_without_importable_name_is_none() -> None:
    class Local(Scaled):
        pass

    assert fingerprint(Local(2), INPUTS, OPTIONS) is None


def test_converted_once_of_an_equal_network_converts_it_once(tmp_path: Path) -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> agraph (float[2] x) => (float[2] y) { y = Neg(x) }'
    )
    calls: list[nn.Module] = []

    def convert(network: nn.Module, _: tuple[Tensor, ...], **options: Any) -> torch.onnx.ONNXProgram:
        assert options == OPTIONS
        calls.append(network)
        return torch.onnx.ONNXProgram(onnx_ir.from_proto(graph), None)

    class Local(Scaled):
        pass

    cached = converted_once(convert, tmp_path)
    programs = [cached(each, INPUTS, **OPTIONS) for each in (network(), network(), network(seed=1), Local(2), Local(2))]
    assert len(calls) == 4
    written = {program.model_proto.SerializeToString() for program in programs if program is not None}
    assert written == {onnx_ir.to_proto(onnx_ir.from_proto(graph)).SerializeToString()}
    assert len(list(tmp_path.glob("*.onnx"))) == 2


@pytest.mark.usefixtures("own_conversions")
def test_conversions_by_a_table_that_is_read_once_are_those_by_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def graph() -> bytes:
        program = torch.onnx.export(Scaled(2).eval(), INPUTS, dynamo=True, opset_version=20, verbose=False)
        assert program is not None
        contents: bytes = program.model_proto.SerializeToString()
        return contents

    own = graph()
    monkeypatch.setattr(ONNXRegistry, "from_torchlib", operators_read_once())
    assert [graph(), graph()] == [own, own]
    assert ONNXRegistry.from_torchlib(opset_version=20) is ONNXRegistry().from_torchlib(opset_version=20)
