# SPDX-License-Identifier: Apache-2.0
"""Images as drivers publish them: encodings, padded rows, byte order, and images that cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lsood_runtime import OoDMonitor, PixelRules, decode_message
from tests.lsood_runtime.conftest import edit_manifest, random_frames, write_toy_bundle
from tests.ros2.playing import Player, Shot

STAMP = 1_000_000_000_000
FRAME = random_frames(1, seed=3)[0]
PIXELS: dict[str, NDArray[np.uint8]] = {
    "rgb8": FRAME,
    "bgr8": FRAME[..., ::-1],
    "rgba8": np.concatenate([FRAME, FRAME[..., :1]], axis=-1),
    "bgra8": np.concatenate([FRAME[..., ::-1], FRAME[..., :1]], axis=-1),
    "8UC3": FRAME[..., ::-1],
    "8UC4": np.concatenate([FRAME, FRAME[..., :1]], axis=-1),
    "mono8": FRAME[..., 0],
    "8UC1": FRAME[..., 0],
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that takes grey images, and states what images without names of their channels hold."""
    folder = tmp_path / "monitor"
    folder.mkdir()
    pixels = {"grey": True, "bits": None, "encodings": ["bgr8", "rgba8", "mono8"], "yuv": None}
    return edit_manifest(write_toy_bundle(folder), lambda manifest: manifest.update(pixels=pixels))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_encodings_are_read_as_by_the_python_node(player: Player, bundle: Path, channels: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["input"].update(channels=channels))
    shots = []
    for i, (encoding, pixels) in enumerate(PIXELS.items()):
        shots += [
            Shot(pixels, STAMP + 4 * i, encoding=encoding),
            Shot(pixels, STAMP + 4 * i + 1, encoding=encoding, padding=i + 1, fields={"is_bigendian": 1}),
            Shot(pixels, STAMP + 4 * i + 2, encoding=encoding.upper(), fields={"step": 0}),
        ]
    found = player.assessments(shots, bundle=bundle, frozen_after_s=0.0)
    rules = PixelRules(encodings=("bgr8", "rgba8", "mono8"), grey=True)
    with OoDMonitor(bundle, threads=1) as monitor:
        for message, shot in zip(found, shots, strict=True):
            rows = np.ascontiguousarray(shot.pixels)
            image = Message(encoding=shot.encoding, height=6, width=8, step=rows[0].size, data=rows.tobytes())
            assert message["score"] == monitor.score(decode_message(image, channels, rules)), shot.encoding


class Message:
    """An object with the fields of an image message."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


UNREADABLE = {
    "another encoding": (
        Shot(FRAME, STAMP, encoding="bayer_rggb8"),
        "expected an image of rgb8, bgr8, rgba8, bgra8 or mono8",
    ),
    "values of two bytes": (Shot(FRAME, STAMP, encoding="mono16"), "got 'mono16': convert it before"),
    "no encoding": (Shot(FRAME, STAMP, encoding="-"), "got '': convert it before"),
    "strange bytes in its name": (Shot(FRAME, STAMP, encoding="r\x01\xe4" + 50 * "x"), f"got 'r???{36 * 'x'}'"),
    "rows that are cut off": (
        Shot(FRAME, STAMP, cut=1),
        "expected 6 rows of 24 bytes, got 143 bytes: the image is cut off",
    ),
    "rows that are too short": (
        Shot(FRAME, STAMP, fields={"step": 23}),
        "expected a step of at least 24 bytes for 8 columns",
    ),
    "no rows": (Shot(FRAME, STAMP, fields={"height": 0}), "expected an image with pixels, got 0 rows of 8 columns"),
    "no columns": (Shot(FRAME, STAMP, fields={"width": 0}), "expected an image with pixels, got 6 rows of 0 columns"),
    "far more rows than bytes": (Shot(FRAME, STAMP, fields={"height": 2**32 - 1}), "the image is cut off"),
    "rows of 4 GB": (Shot(FRAME, STAMP, fields={"step": 2**32 - 1}), "the image is cut off"),
    "far more columns than bytes": (Shot(FRAME, STAMP, fields={"width": 2**32 - 1, "step": 0}), "the image is cut off"),
    "another size": (Shot(FRAME[:5], STAMP), "expected a (6, 8, 3) uint8 frame in RGB, got (5, 8, 3)"),
    "another size and encoding": (Shot(FRAME[:, :7, ::-1], STAMP, encoding="bgr8"), "got (6, 7, 3)"),
}


def test_images_that_cannot_be_read_are_invalid_and_the_next_one_is_scored(player: Player, tmp_path: Path) -> None:
    bundle = tmp_path / "monitor"
    bundle.mkdir()
    write_toy_bundle(bundle)
    grey = (
        Shot(FRAME[..., 0], STAMP, encoding="mono8"),
        "expected a colour image, got mono8: export or calibrate the bundle",
    )
    unnamed = (Shot(FRAME, STAMP, encoding="8UC3"), "expected an encoding that names its channels, got '8UC3'")
    cases = [*UNREADABLE.values(), grey, unnamed]
    shots = [Shot(**{**vars(shot), "stamp_ns": STAMP + i}) for i, (shot, _) in enumerate(cases)]
    *found, last = player.assessments([*shots, Shot(FRAME, STAMP + 100)], bundle=bundle)
    for message, (_, words) in zip(found, cases, strict=True):
        assert (message["state"], message["score"]) == (4, np.inf)
        assert words in message["reason"]
    assert (last["state"], last["index"]) == (0, len(cases))
