# SPDX-License-Identifier: Apache-2.0
"""``lsood selftest``: golden scores replayed, and its exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest

from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import seal, toy_manifest


def test_selftest_right_and_wrong_scores_set_the_exit_code(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["selftest", str(toy_bundle)]) == 0
    out = capsys.readouterr().out
    assert "golden 1" in out
    assert out.endswith("passed\n")
    assert "CPUExecutionProvider" in out
    golden = dict(np.load(toy_bundle / "golden.npz"))
    np.savez(toy_bundle / "golden.npz", frames=golden["frames"], scores=golden["scores"] + 1)
    seal(toy_bundle, toy_manifest())
    assert run(["selftest", str(toy_bundle)]) == 1
    out = capsys.readouterr().out
    assert out.count("WRONG") == 2
    assert "FAILED" in out
    assert run(["selftest", str(toy_bundle), "--json"]) == 1
    values = json.loads(capsys.readouterr().out)
    assert values["passed"] is False
    assert values["errors"] == pytest.approx([1, 1], abs=1e-4)
    assert run(["selftest", str(toy_bundle), "--provider", "tensorrt"]) == 2
    assert "TensorRT" in capsys.readouterr().err
