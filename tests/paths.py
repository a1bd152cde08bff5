# SPDX-License-Identifier: Apache-2.0
"""Folders that tests read: the project, its examples, a bundle as an older exporter wrote it, and the data sets beside it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SHARED = ROOT.parent / "shared"
FROZEN_BUNDLE = ROOT / "tests" / "data" / "bundles" / "schema-2"
FROZEN_FUSED_BUNDLE = FROZEN_BUNDLE.with_name("schema-3")
