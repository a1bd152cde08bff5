# SPDX-License-Identifier: Apache-2.0
"""Cases of videos: the colour space of their stream, grey ones."""

from pathlib import Path

import av
import numpy as np

from tests.lsood_runtime.media.input_cases import MadeInput, Make, are_invalid, are_read
from tests.lsood_runtime.media.raw_images import exact_rgb

_SIZE = (32, 48)
_NUMBERS = {"bt601": (6, 1), "bt601-full": (6, 2), "bt709": (1, 1), "bt709-full": (1, 2)}
"""FFmpeg's numbers of matrix and range."""


def videos(space: str, *, tagged: bool, form: str = "yuv420p", readable: bool = True) -> Make:
    """Write a lossless video of three frames of one colour each, of a colour space that it states or does not."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        path, shown = folder / "drive.mkv", []
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.height, stream.width = _SIZE
            stream.pix_fmt = form
            if tagged:
                stream.codec_context.colorspace, stream.codec_context.color_range = _NUMBERS[space]
            for _ in range(3):
                luma, blue, red = (rng.integers(16, 236), *rng.integers(90, 166, 2))
                frame = av.VideoFrame(_SIZE[1], _SIZE[0], form)
                for plane, value in zip(frame.planes, (luma, blue, red), strict=False):
                    plane.update(bytes([value]) * plane.buffer_size)
                if tagged:
                    frame.colorspace, frame.color_range = _NUMBERS[space]
                container.mux(stream.encode(frame))
                chroma = np.broadcast_to(np.array([blue, red] if form != "gray" else [128, 128], np.uint8), (*_SIZE, 2))
                shown.append(exact_rgb(np.full(_SIZE, luma, np.uint8), chroma, space) if readable else None)
            container.mux(stream.encode(None))
        return MadeInput(path, tuple(shown), tolerance=4)

    return make


_read, _invalid = (case("Videos") for case in (are_read, are_invalid))

CASES = (
    *(
        _read(f"YUV whose stream states {words}", videos(space, tagged=True), "converted so, whatever `--yuv` says")
        for words, space in (
            ("BT.601, limited range", "bt601"),
            ("BT.601, full range", "bt601-full"),
            ("BT.709, limited range", "bt709"),
            ("BT.709, full range", "bt709-full"),
        )
    ),
    _read("YUV whose stream states no space", videos("bt601", tagged=False), "taken for BT.601, limited range"),
    _read("YUV whose stream states no space", videos("bt709", tagged=False), "converted as stated", "--yuv", "bt709"),
    _invalid(
        "a grey video",
        videos("bt601-full", tagged=False, form="gray", readable=False),
        "expected a colour image, got a grey one",
    ),
    _read("a grey video", videos("bt601-full", tagged=False, form="gray"), "three equal channels", "--grey"),
)
