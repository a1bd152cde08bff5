# SPDX-License-Identifier: Apache-2.0
"""Label files: one reader for training and evaluation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.errors import UsageError
from export.frames.labels import read_label


def test_read_label_of_ids_gives_them(tmp_path: Path) -> None:
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(ids).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), ids)


def test_read_label_of_a_palette_gives_indices(tmp_path: Path) -> None:
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(ids).convert("P")
    image.putpalette([0, 0, 0] * 256)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), ids)


@pytest.mark.parametrize("pixels", [np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.uint16)])
def test_read_label_of_colours_or_two_bytes_is_refused(pixels: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="expected one byte a pixel"):
        read_label(tmp_path / "a.png")


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_read_label_of_what_is_no_image_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UsageError, match="expected a label image, could not read"):
        read_label(tmp_path / "a.png")
