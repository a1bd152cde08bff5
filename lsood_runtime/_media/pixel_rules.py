# SPDX-License-Identifier: Apache-2.0
"""What a user states about pixels where a file or a message does not: their order, depth, colour space, and grey."""

import re
from dataclasses import dataclass

from lsood_runtime._arguments import check_count, check_flag, shown
from lsood_runtime._media.encodings import named_encodings

YUV_SPACES = ("bt601", "bt601-full", "bt709", "bt709-full")
"""Matrices of YUV, with limited range (luma 16 to 235) or full range (0 to 255)."""


@dataclass(frozen=True, slots=True)
class PixelRules:
    """How pixels are read that do not say it themselves.

    Args:
        encodings: stand for encodings that name no channels, such as ``bgr8`` for 8UC3 and ``mono8`` for 8UC1; the first of
            the same bytes a pixel is taken. An encoding that names its channels is never replaced.
        grey: read images of one channel as three equal ones; they are refused otherwise.
        bits: of the 16 that hold a value, how many it uses, counted from the lowest: 12 for a sensor of 12 bits, 16 where
            values reach 65535. None refuses values of 16 bits.
        yuv: matrix and range of YUV: ``bt601`` or ``bt709`` with limited range (luma 16 to 235), ``bt601-full`` or
            ``bt709-full`` with full range. None for ``bt601``, and frames that cannot be of limited range are refused.

    Raises:
        TypeError: an argument of another type.
        ValueError: no such encoding, number of bits or colour space.
    """

    encodings: tuple[str, ...] = ()
    grey: bool = False
    bits: int | None = None
    yuv: str | None = None

    def __post_init__(self) -> None:
        names = self.encodings
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"expected names of encodings in a tuple, got {shown(names)}: pass ('bgr8',)")
        check_flag(self.grey, "grey")
        unknown = [name for name in self.encodings if name.lower() not in named_encodings()]
        if unknown:
            raise ValueError(f"expected encodings of {', '.join(named_encodings())}, got {unknown[0]!r}: choose one")
        if self.bits is not None:
            check_count(self.bits, "9 to 16 bits a value", "leave it out for 8", least=9, most=16)
        if self.yuv not in (None, *YUV_SPACES):
            raise ValueError(f"expected YUV of {', '.join(YUV_SPACES)}, got {self.yuv!r}: choose one")


AS_STATED = PixelRules()
"""Nothing is added to what files and messages say."""

_FLAGS = {"grey": "--grey", "bits": "--bits", "encodings": "--encoding", "yuv": "--yuv"}
_STATED = re.compile(rf"PixelRules\(({'|'.join(_FLAGS)})=([^()]*)\)")
_ANY = ("True", "...")


def in_flags(message: str) -> str:
    """A message of this package with its arguments written as the flags of the commands.

    Example:
        >>> in_flags("accept grey images with PixelRules(grey=True)")
        'accept grey images with --grey'
    """
    return _STATED.sub(_flag, message)


def _flag(stated: re.Match[str]) -> str:
    name, value = stated.groups()
    return _FLAGS[name] + ("" if value in _ANY else f" {value.strip(chr(39))}")
