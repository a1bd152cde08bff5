# SPDX-License-Identifier: Apache-2.0
"""Golden frames with noise: read, and refused where they do not fit the manifest."""

import io
import json
from typing import Any

import numpy as np
import pytest

from lsood_runtime import BundleError, Manifest
from lsood_runtime._bundle.golden import parse_golden
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.conftest import SAMPLES, random_frames

NOISE = np.random.default_rng(0).random((2, SAMPLES, 5), dtype=np.float32)


def manifest_with_noise() -> Manifest:
    document = json.loads(text_with())
    document["masks"] |= {"mode": "input", "noise": [[5]]}
    return Manifest.from_json(json.dumps(document))


def archive(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_parse_golden_with_noise_gives_every_array() -> None:
    frames = random_frames(2, 1)
    golden = parse_golden(archive(frames=frames, scores=[1.0, 2.0], noise_0=NOISE), manifest_with_noise())
    np.testing.assert_array_equal(golden.frames, frames)
    assert golden.scores.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(golden.noise, [NOISE])
    assert len(golden) == 2
    assert golden.tolerance == manifest_with_noise().golden.tolerance


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "hold frames and scores, got KeyError"),
        ({"noise_0": NOISE[:1]}, r"expected noise_0 \(2, 4, 5\) float32 in golden.npz, got \(1, 4, 5\) float32"),
        ({"noise_0": NOISE[:, :, :4]}, r"got \(2, 4, 4\) float32: export the bundle again"),
        ({"noise_0": NOISE.astype(np.float64)}, r"got \(2, 4, 5\) float64"),
    ],
)
def test_parse_golden_noise_of_another_form_is_refused(arrays: dict[str, Any], message: str) -> None:
    contents = archive(frames=random_frames(2, 1), scores=[1.0, 2.0], **arrays)
    with pytest.raises(BundleError, match=message):
        parse_golden(contents, manifest_with_noise())
