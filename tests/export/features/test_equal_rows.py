# SPDX-License-Identifier: Apache-2.0
"""Features of one frame under two names are refused."""

import numpy as np
import pytest

from export.errors import UsageError
from export.features.equal_rows import check_rows_differ
from export.features.folder import FrameTable
from export.features.key import FeatureKey, FeatureKind


def test_check_rows_differ_equal_features_are_refused_by_name_and_number() -> None:
    rng = np.random.default_rng(0)
    entropy, energy = rng.normal(size=(1200, 3)).astype(np.float32), rng.normal(size=(1200, 1)).astype(np.float32)
    names = [f"{i:04d}.png" for i in range(1200)]
    values = {FeatureKey.entropy(): entropy, FeatureKey.output_score(FeatureKind.ENERGY): energy}
    check_rows_differ(FrameTable(names, values))
    entropy[900] = entropy[7]
    check_rows_differ(FrameTable(names, values))
    energy[900] = energy[7]
    with pytest.raises(UsageError, match=r"got 1 of 1200 again: 0900.png has those of 0007.png; drop"):
        check_rows_differ(FrameTable(names, values))
