# SPDX-License-Identifier: Apache-2.0
"""What can go wrong at run time.

LsoodError
├── BundleError      the bundle is incomplete, damaged, or of a schema that this version cannot read
├── ProviderError    an execution provider that was asked for does not load, or fails in a run
├── SelfTestError    the golden frames do not get their scores back
├── FrameError       a frame that breaks the input contract
├── MediaError       a file that is no image or video
└── ClosedError      a monitor that was closed
"""


class LsoodError(Exception):
    """Root of every error that this package raises on purpose; its message is one line with a remedy."""


class BundleError(LsoodError):
    """The bundle is incomplete, damaged, or of a schema that this version cannot read."""


class ProviderError(LsoodError):
    """An execution provider that was asked for does not run on this machine."""


class SelfTestError(LsoodError):
    """The golden frames do not get their scores back: the bundle must not be trusted on this machine."""


class FrameError(LsoodError, ValueError):
    """A frame breaks the input contract."""


class MediaError(LsoodError):
    """A file cannot be read as an image or a video."""


class ClosedError(LsoodError, RuntimeError):
    """The monitor was closed."""


def one_line(error: BaseException) -> str:
    """The message of an error in one line of text: whitespace becomes spaces, control characters are escaped."""
    words = " ".join(str(error).split())
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in words)
