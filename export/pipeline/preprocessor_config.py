# SPDX-License-Identifier: Apache-2.0
"""Read the ``preprocessor_config.json`` that the transformers library writes beside its weights."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from export.errors import UsageError, first_line
from export.findings import PLACEHOLDER
from export.pipeline.hyper_parameters import stated_normalisations
from export.pipeline.stated_preprocessing import StatedNormalisation, StatedOrder, StatedSize
from lsood_runtime.offline import read_plain, reason_of

_NAMES = ("preprocessor_config.json", "processor_config.json")
_MOST_BYTES = 1 << 20
_SQUARE = ("Segformer", "Beit")
"""Image processors whose ``size`` of one number is a square; it is the shorter edge of most others."""
_CENTRED = ("DPT",)
"""Image processors that pad on all sides."""

_BILINEAR = 2
"""Pillow's number of it, as ``resample`` has it."""


@dataclass(frozen=True)
class PreprocessorConfig:
    """An image processor's settings.

    Attributes:
        name: of the file.
        settings: as the file has them.
    """

    name: str
    settings: Mapping[str, object]

    @property
    def source(self) -> str:
        """Words behind "by"."""
        return f"{self.name} beside the checkpoint"

    def normalisation(self) -> StatedNormalisation | None:
        """Mean and deviation; 0 and 1 where ``do_normalize`` is false; None where the file leaves them to the library.

        Raises:
            UsageError: a constant is no number and no three of them.
        """
        settings, remark = dict(self.settings), ""
        # MobileViT's, which alone turns channels, does not normalise, though the library writes constants for it
        if settings.get("do_normalize", "do_flip_channel_order" not in settings) is False:
            if settings.get("image_mean") is not None:
                state = "is false" if "do_normalize" in settings else "is not set"
                remark = f"image_mean in the file is not used: do_normalize {state}"
            settings |= {"image_mean": 0.0, "image_std": 1.0}
        found = next(stated_normalisations({name: settings.get(name) for name in _NORMALISATION}), None)
        if found is None or not found.complete:
            return None
        return StatedNormalisation(self.source, found.mean, found.std, remark=remark)

    def order(self) -> StatedOrder | None:
        """BGR where ``do_flip_channel_order`` says so."""
        return StatedOrder(self.source, "bgr") if self.settings.get("do_flip_channel_order") is True else None

    def size(self, height: int, width: int) -> StatedSize | None:
        """Size to which frames are resized; None where the file says of none.

        Args:
            height: rows of what the network sees of a frame.
            width: columns of it.

        Raises:
            UsageError: a size of a form that leaves the shape open.
        """
        size, divisor = self.settings.get("size"), self.settings.get("size_divisor")
        if size is None or self.settings.get("do_resize") is False:
            return None
        rows, columns = self._resized(size, height, width)
        if _is_count(divisor) and self.settings.get("do_pad") is not True:
            rows, columns = (math.ceil(length / divisor) * divisor for length in (rows, columns))
        return StatedSize(self.source, rows, columns)

    def warnings(self) -> Iterator[str]:
        """Steps of the file that a graph does not do, one line each."""
        resized = self.settings.get("size") is not None and self.settings.get("do_resize") is not False
        resample = self.settings.get("resample")
        if resized and resample is not None and resample != _BILINEAR:
            yield f"{self.name} resizes by Pillow's filter {resample!r}, the graph does so by 2, bilinear"
        if self.settings.get("do_center_crop") is True:
            yield f"{self.name} crops the centre of a resized frame, the graph does not: --crop crops before it is resized"

    @property
    def pads(self) -> bool:
        """Whether the file pads a picture."""
        return self.settings.get("do_pad") is True

    def padding_multiple(self, height: int, width: int, most: int) -> int | None:
        """Multiple up to which a resized picture is padded at the bottom and at the right; None for other ways of padding.

        Understood are ``size_divisor``, ``size_divisibility`` and ``pad_size`` of one number, and a ``pad_size`` of height
        and width that is the next multiple of one number on both sides. DPT's processor pads on all sides.

        Args:
            height: rows of the resized picture.
            width: columns of it.
            most: greatest multiple that is looked at.
        """
        if self._kind.startswith(_CENTRED):
            return None
        size = self.settings.get("pad_size")
        if isinstance(size, Mapping):
            rows, columns = size.get("height"), size.get("width")
            multiples = range(1, most + 1)
            return next((n for n in multiples if (height + -height % n, width + -width % n) == (rows, columns)), None)
        stated = (size, self.settings.get("size_divisor"), self.settings.get("size_divisibility"))
        return next((number for number in stated if _is_count(number) and number <= most), None)

    @property
    def _kind(self) -> str:
        return str(self.settings.get("image_processor_type") or self.settings.get("feature_extractor_type"))

    def _resized(self, size: object, height: int, width: int) -> tuple[int, int]:
        if isinstance(size, Mapping):
            rows, columns = size.get("height"), size.get("width")
            if _is_count(rows) and _is_count(columns):
                return rows, columns
            shorter, longest = size.get("shortest_edge"), size.get("longest_edge")
            if _is_count(shorter):
                return _by_shorter_edge(height, width, shorter, longest if _is_count(longest) else None)
            if _is_count(longest) and shorter is None:
                return _by_longest_edge(height, width, longest)
        if _is_count(size) and self._kind.startswith(_SQUARE):
            return size, size
        raise UsageError(
            f"expected height and width, shortest_edge or longest_edge as the size in {self.name} beside the checkpoint, got "
            f"{size!r}: give --input-size H W",
            words=("--input-size", PLACEHOLDER, PLACEHOLDER),
        )


_NORMALISATION = ("image_mean", "image_std", "do_rescale", "rescale_factor")


def read_preprocessor_config(checkpoint: Path | None) -> PreprocessorConfig | None:
    """Read the settings beside a checkpoint; None where there are none, or no file.

    Raises:
        UsageError: a file of that name holds something else.
    """
    if checkpoint is None:
        return None
    for name in _NAMES:
        path = checkpoint.parent / name
        if not os.path.lexists(path):
            continue
        try:
            settings = json.loads(read_plain(path, _MOST_BYTES))
        except (ValueError, RecursionError, OSError) as error:
            got = reason_of(error) if isinstance(error, OSError) else first_line(error)
            raise UsageError(
                f"expected the settings of an image processor in {path}, got {got}: mend it, or move it"
            ) from error
        settings = settings.get("image_processor", settings) if isinstance(settings, dict) else settings
        if not isinstance(settings, dict):
            raise UsageError(
                f"expected the settings of an image processor in {path}, got {type(settings).__name__}: mend it, or move it"
            )
        return PreprocessorConfig(name, settings)
    return None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _by_shorter_edge(height: int, width: int, shorter: int, longest: int | None) -> tuple[int, int]:
    """Size of a frame whose shorter edge gets a length, with a longest one, as transformers computes it.

    Args:
        height: rows of the frame.
        width: columns of the frame.
        shorter: length of the shorter edge.
        longest: greatest length of the longer one; None for any.
    """
    low, high = min(height, width), max(height, width)
    exact = float(shorter)
    if longest is not None and high / low * shorter > longest:
        exact = longest * low / high
    short = round(exact)
    if low == short:
        return height, width
    long = int(exact * high / low)
    return (short, long) if height <= width else (long, short)


def _by_longest_edge(height: int, width: int, longest: int) -> tuple[int, int]:
    """Size of a frame whose longer edge gets a length, with halves rounded up, as SAM's processor computes it."""
    high = max(height, width)
    rows, columns = ((2 * length * longest + high) // (2 * high) for length in (height, width))
    return max(rows, 1), max(columns, 1)
