# SPDX-License-Identifier: Apache-2.0
"""Golden frames check the segmentation: graphs that give the right scores and wrong classes are refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from export.graphs.shared_weights import load_graph
from lsood_runtime import BundleError, Manifest, OoDMonitor, SelfTestError
from lsood_runtime._bundle.score_checks import pixel_tolerance
from lsood_runtime._cli.main import run
from lsood_runtime.offline import open_bundle
from tests.lsood_runtime.conftest import seal
from tests.paths import ROOT

FROZEN = ROOT / "tests" / "data" / "bundles" / "schema-4"
Arrays = dict[str, Any]


def with_changed_head(folder: Path, change: Callable[[Any], Any]) -> Path:
    """A copy of the frozen bundle whose last convolution is changed, with all digests made anew."""
    shutil.copytree(FROZEN, folder)
    bundle = open_bundle(folder)
    model = load_graph(bundle.segmentation, bundle.weights)
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    changed = 0
    for tensor in model.graph.initializer:
        if tensor.name in last.input[1:]:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)).copy(), tensor.name))
            changed += 1
    assert changed >= 1
    (folder / "segmentation.onnx").write_bytes(model.SerializeToString())
    return sealed(folder)


def sealed(folder: Path) -> Path:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]
    return seal(folder, manifest)


def test_self_test_of_other_classes_with_the_same_scores_is_refused(tmp_path: Path) -> None:
    """Rolled classes: what the score reads of the logits does not depend on their order."""
    folder = with_changed_head(tmp_path / "monitor", lambda values: np.roll(values, 1, axis=0))
    with OoDMonitor(folder, self_test=False) as monitor:
        result = monitor.self_test()
        assert max(result.errors) <= result.tolerance
        assert min(result.pixel_changes) > 0.9
        assert not result.passed
    with pytest.raises(
        SelfTestError, match=r"golden frame 0 to have its classes but for 0\.5.% of its pixels, got 1?\d"
    ):
        OoDMonitor(folder)


def test_self_test_of_negated_weights_of_the_decoder_is_refused(tmp_path: Path) -> None:
    folder = with_changed_head(tmp_path / "monitor", np.negative)
    with OoDMonitor(folder, self_test=False) as monitor:
        assert min(monitor.self_test().pixel_changes) > 0.2
    with pytest.raises(SelfTestError):
        OoDMonitor(folder)


def test_self_test_as_exported_changes_no_class(capsys: pytest.CaptureFixture[str]) -> None:
    with OoDMonitor(FROZEN) as monitor:
        result, manifest = monitor.self_test(), monitor.manifest
    assert result.passed
    assert max(result.pixel_changes) <= result.pixel_tolerance == manifest.golden.pixel_changes["cpu"]
    assert len(result.pixel_changes) == len(result.scores)
    for provider, share in manifest.golden.pixel_changes.items():
        assert share == pixel_tolerance(manifest.parity, manifest.precision, provider)
    assert run(["selftest", str(FROZEN)]) == 0
    assert "% of pixels of another class, of 0.5" in capsys.readouterr().out
    assert run(["inspect", str(FROZEN)]) == 0
    assert "% of pixels, gpu within" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("provider", ["cpu", "gpu"])
@pytest.mark.parametrize("share", [0.5, 1.0, -0.1, 1e308])
def test_manifest_that_lets_more_pixels_change_than_was_measured_is_refused(provider: str, share: float) -> None:
    document = json.loads((FROZEN / "manifest.json").read_text())
    document["golden"]["pixel_changes"][provider] = share
    with pytest.raises(BundleError, match=rf"golden\.pixel_changes\.{provider} to be from 0 to"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("classes"), "got KeyError"),
        (lambda arrays: arrays.update(classes=arrays["classes"][:, 1:]), "expected class maps"),
        (lambda arrays: arrays.update(classes=arrays["classes"].astype(np.int64)), "expected class maps"),
        (lambda arrays: arrays.update(classes=arrays["classes"][:1]), "expected class maps"),
        (lambda arrays: arrays.update(more=arrays["classes"]), "other entries"),
    ],
)
def test_golden_class_maps_that_do_not_fit_are_refused(
    tmp_path: Path, change: Callable[[Arrays], object], message: str
) -> None:
    folder = Path(shutil.copytree(FROZEN, tmp_path / "monitor"))
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(folder / "golden.npz", **arrays)
    with pytest.raises(BundleError, match=message):
        OoDMonitor(sealed(folder))


def test_golden_class_maps_are_a_byte_a_pixel() -> None:
    with np.load(FROZEN / "golden.npz") as archive:
        assert archive["classes"].dtype == np.uint8
        assert archive["classes"].shape == (3, 32, 64)
