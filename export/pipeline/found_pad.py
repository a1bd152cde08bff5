# SPDX-License-Identifier: Apache-2.0
"""Find the multiple to which a network's input is padded: by the flag, or by an image processor's file, else none."""

from dataclasses import dataclass

from export.errors import UsageError
from export.findings import Finding
from export.pipeline.preprocessor_config import PreprocessorConfig

_MOST = 1024


@dataclass(frozen=True)
class FoundPad:
    """Padding of a network's input.

    Attributes:
        multiple: rows and columns are added up to a multiple of it; 1 for none.
        findings: where it comes from; none where nothing states it.
        warnings: what speaks against it, one line each.
    """

    multiple: int
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


def find_pad(given: int | None, config: PreprocessorConfig | None, size: tuple[int, int]) -> FoundPad:
    """Choose the multiple to which rows and columns are padded.

    Args:
        given: by the flag.
        config: an image processor's settings beside the checkpoint.
        size: rows and columns to which a frame is resized.

    Raises:
        UsageError: the flag is out of range.
    """
    if given is not None:
        check_pad(given)
        return FoundPad(given)
    if config is None or not config.pads:
        return FoundPad(1)
    multiple = config.padding_multiple(*size, _MOST)
    if multiple is None:
        why = "it is no padding at the bottom and at the right up to a multiple; --pad 1 leaves it out"
        return FoundPad(1, (), (f"warning: {config.name} pads, which is not taken from it: {why}",))
    words = ("--pad", str(multiple))
    return FoundPad(
        multiple, (Finding("padding", f"to multiples of {multiple}", "found", f"by {config.source}", words),)
    )


def check_pad(multiple: int) -> None:
    """Refuse a multiple that no network asks for.

    Raises:
        UsageError: it is out of range.
    """
    if not 1 <= multiple <= _MOST:
        raise UsageError(f"expected --pad from 1 to {_MOST}, got {multiple}: 32 is what most networks divide by")
