# SPDX-License-Identifier: Apache-2.0
"""Damaged bundles that the Python runtime refuses; the C++ library plays the same table in ``tests/cpp/test_bundles.py``."""

from pathlib import Path

import pytest

from lsood_runtime import BundleError
from lsood_runtime._bundle.reader import open_bundle
from tests.cases.damaged_bundles import CASES, damaged
from tests.lsood_runtime.answers_bundle import write_answers_bundle


def test_damaged_bundles_are_refused_with_the_words_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    sound = write_answers_bundle(tmp_path / "sound", tiles=True, with_map=True)
    for i, case in enumerate(CASES):
        folder = damaged(case, sound, tmp_path / str(i))
        if case["says"] is None:
            open_bundle(folder)
            continue
        with pytest.raises(BundleError) as refused:
            open_bundle(folder)
        assert case["says"] in str(refused.value), case["name"]
