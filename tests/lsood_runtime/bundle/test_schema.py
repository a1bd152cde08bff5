# SPDX-License-Identifier: Apache-2.0
"""Bundles of each schema, frozen as an exporter of their day wrote them, still load and score as they did.

A new schema adds a folder here and takes none away; ``lsood_runtime/_bundle/manifest.py`` has the policy.
"""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsood_runtime import SCHEMA, BundleError, KOfN, Manifest, OoDMonitor, State, read_manifest
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import edit_manifest
from tests.paths import FROZEN_BUNDLE, ROOT

FROZEN = sorted((ROOT / "tests" / "data" / "bundles").iterdir())


def test_schema_each_released_one_has_a_frozen_bundle() -> None:
    """Schema 1 was never released; it is refused."""
    assert [folder.name for folder in FROZEN] == [f"schema-{schema}" for schema in range(2, SCHEMA + 1)]


@pytest.mark.parametrize("folder", FROZEN, ids=lambda folder: folder.name)
def test_frozen_bundle_loaded_today_scores_as_at_export(folder: Path) -> None:
    stated = json.loads((folder / "manifest.json").read_text())["schema"]
    assert folder.name == f"schema-{stated}"
    with OoDMonitor(folder) as monitor:
        result = monitor.self_test()
        assert result.passed
        assert len(result.scores) >= 1
        contract = monitor.manifest.input
        noise = np.random.default_rng(0).integers(0, 256, (contract.frame_height, contract.frame_width, 3), np.uint8)
        verdict = monitor.stream(KOfN()).assess(noise).verdict
        assert verdict.state in (State.OK, State.OUT_OF_DISTRIBUTION)
        assert verdict.score == monitor.score(noise)
        assert verdict.segmentation is not None
        assert verdict.segmentation.dtype == np.uint8
        assert list(verdict.parts) == [part.name for part in monitor.manifest.detector.parts]


def test_frozen_bundle_of_schema_2_has_one_feature_and_one_part() -> None:
    with OoDMonitor(FROZEN_BUNDLE) as monitor:
        manifest = monitor.manifest
        assert monitor.assess(np.random.default_rng(0).integers(0, 256, (80, 160, 3), np.uint8)).parts == {}
    assert manifest.schema == 2
    assert manifest.features == {"latent_samples": (manifest.masks.count, manifest.tap.channels)}
    assert manifest.detector.parts == ()


def test_frozen_bundle_of_schema_2_is_inspected_and_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    assert run(["inspect", str(FROZEN_BUNDLE)]) == 0
    text = capsys.readouterr().out
    assert "schema 2\n" in text
    assert re.search(r"^features +latent_samples \d+ x \d+$", text, re.MULTILINE)
    assert run(["inspect", str(FROZEN_BUNDLE), "--json"]) == 0
    assert Manifest.from_json(capsys.readouterr().out) == read_manifest(FROZEN_BUNDLE)
    assert run(["selftest", str(FROZEN_BUNDLE)]) == 0
    assert run(["diff", str(FROZEN_BUNDLE), str(FROZEN_BUNDLE)]) == 0
    capsys.readouterr()
    assert run(["diff", str(FROZEN_BUNDLE), str(FROZEN[-1])]) == 1
    assert f"schema: 2 -> {SCHEMA}\n" in capsys.readouterr().out


@pytest.mark.parametrize("folder", FROZEN[:2], ids=lambda folder: folder.name)
def test_frozen_bundle_of_an_old_schema_carries_no_digest_and_takes_an_expected_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert run(["inspect", str(folder)]) == 0
    assert f"{digest}; this bundle has no manifest.sha256\n" in capsys.readouterr().out
    OoDMonitor(folder, expected_sha256=digest).close()
    with pytest.raises(BundleError, match="expected the bundle whose manifest has sha256"):
        OoDMonitor(folder, expected_sha256="0" * 64)


def test_frozen_bundle_of_schema_4_has_a_digest_that_sha256sum_reads() -> None:
    command = ["sha256sum", "--check", "--strict", "manifest.sha256"]
    assert subprocess.run(command, cwd=FROZEN[2], capture_output=True, text=True).stdout == "manifest.json: OK\n"


def test_frozen_bundle_of_schema_3_has_parts_whose_shares_add_up_to_the_score() -> None:
    with OoDMonitor(FROZEN[1]) as monitor:
        manifest = monitor.manifest
        verdict = monitor.assess(np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8))
    assert manifest.schema == 3
    assert list(manifest.features) == ["latent_samples", "moments/deep.2", "energy/mean"]
    assert manifest.features["latent_samples"] == (manifest.masks.count, manifest.tap.channels)
    reads = [part.features for part in manifest.detector.parts]
    assert reads == [("entropy",), ("moments/deep.2",), ("energy/mean",)]
    assert len(verdict.parts) == 3
    assert sum(verdict.parts.values()) == pytest.approx(verdict.score)


@pytest.mark.parametrize("schema", [0, 1, SCHEMA + 1, 10**9, "2", 2.5, None])
def test_schema_other_than_ours_is_refused_with_a_remedy(tmp_path: Path, schema: object) -> None:
    shutil.copytree(FROZEN[-1], tmp_path / "monitor")
    edit_manifest(tmp_path / "monitor", lambda manifest: manifest.update(schema=schema))
    for read in (read_manifest, OoDMonitor):
        with pytest.raises(BundleError, match="export again with this version, or install the version that wrote it"):
            read(tmp_path / "monitor")


def test_manifest_fields_of_a_newer_exporter_are_ignored(tmp_path: Path) -> None:
    """What a new field adds must be such that an old reader may overlook it: else the schema counts up."""
    shutil.copytree(FROZEN[-1], tmp_path / "monitor")

    def add(manifest: dict[str, Any]) -> None:
        manifest["input"]["lens"] = "fisheye"
        manifest["signature"] = {"by": "someone"}

    edit_manifest(tmp_path / "monitor", add)
    with OoDMonitor(tmp_path / "monitor") as monitor:
        assert monitor.self_test().passed


def test_frozen_bundle_of_schema_5_answers_beside_the_score() -> None:
    with OoDMonitor(FROZEN[3]) as monitor:
        manifest = monitor.manifest
        noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
        verdict = monitor.assess(noise)
        assert len(monitor.self_test().answer_errors) == len(monitor.self_test().scores)
    assert manifest.schema == 5
    assert manifest.answers is not None
    assert manifest.answers.quality is not None
    assert manifest.answers.cause is not None
    assert (verdict.quality_measure, verdict.cause in (*manifest.answers.cause.names, "unknown")) == ("agreement", True)


@pytest.mark.parametrize("folder", FROZEN[:3], ids=lambda folder: folder.name)
def test_frozen_bundle_of_a_schema_before_5_answers_nothing_beside_the_score(folder: Path) -> None:
    assert read_manifest(folder).answers is None
