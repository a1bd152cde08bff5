# SPDX-License-Identifier: Apache-2.0
"""Find the size of a network's input: by the flag, or by the first source beside it that states one, else the frame's."""

from collections.abc import Mapping
from dataclasses import dataclass

from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding, Origin
from export.pipeline.hyper_parameters import stated_sizes, training_crop
from export.pipeline.preprocessor_config import PreprocessorConfig
from export.pipeline.stated_preprocessing import StatedSize

_MOST_PIXELS = 1 << 26
"""Pixels of the largest picture that a network is given: 8192 x 8192."""


_MUCH_SMALLER = 5.0
"""Factor on one side by which networks for roads seldom make frames smaller."""

_TURNED = 2.0
"""Factor of the aspect beyond that of a frame of 16:9 that is made square."""


@dataclass(frozen=True)
class FoundSize:
    """Size of a network's input.

    Attributes:
        height: rows.
        width: columns.
        finding: where it comes from.
        warnings: what speaks against it, one line each.
    """

    height: int
    width: int
    finding: Finding
    warnings: tuple[str, ...] = ()


def find_size(
    given: tuple[int, int] | None,
    hyper_parameters: Mapping[str, object],
    config: PreprocessorConfig | None,
    seen: tuple[int, int],
) -> FoundSize:
    """Choose rows and columns of a network's input.

    Args:
        given: by the flag.
        hyper_parameters: of the checkpoint.
        config: an image processor's settings beside it.
        seen: rows and columns of what the network sees of a frame.

    Raises:
        UsageError: the first source that has a size states it in a form that is not understood.
    """
    if given is not None:
        return FoundSize(*given, _finding(*given, "given"))
    sizes = list(stated_sizes(hyper_parameters))
    warnings: list[str] = []
    if config is not None:
        if (stated := config.size(*seen)) is not None:
            sizes.append(stated)
        warnings = [f"warning: {text}" for text in config.warnings()]
    if not sizes:
        crop = training_crop(hyper_parameters)
        if crop is not None:
            warnings.append(
                f"the checkpoint's {crop} is not taken as the input's size: random crops of a training are not a resize "
                "(--input-size if it was one)"
            )
        finding = Finding(
            "input size", f"{seen[0]} x {seen[1]} (height x width)", "guessed", "what the network sees of a frame"
        )
        return FoundSize(*seen, finding, tuple(warnings))
    chosen, *others = sizes
    doubt = ""
    if config is not None and chosen.source == config.source:
        warnings += _changes(chosen, *seen)
    elif doubt := _doubt(chosen, *seen):
        warnings.append(f"warning: {chosen.source} {doubt}")
    return FoundSize(
        chosen.height,
        chosen.width,
        _finding(
            chosen.height,
            chosen.width,
            "guessed" if doubt else "found",
            f"by {chosen.source}" + (f", which {doubt}" if doubt else ""),
        ),
        (
            *(
                f"warning: {other.source} says {other.height} x {other.width} (height x width), which is not taken: "
                f"{chosen.source} comes first; --input-size decides otherwise"
                for other in others
                if (other.height, other.width) != (chosen.height, chosen.width)
            ),
            *warnings,
        ),
    )


def check_size(height: int, width: int, flag: str = "--input-size") -> None:
    """Refuse a size of which no picture fits in memory, or is none.

    Args:
        height: rows.
        width: columns.
        flag: that states it, for the message.

    Raises:
        UsageError: there is no pixel, or there are more than 2^26.
    """
    if min(height, width) < 1:
        raise UsageError(f"expected {flag} of at least 1 x 1, got {height} x {width}: give rows and columns")
    if height * width > _MOST_PIXELS:
        raise UsageError(
            f"expected {flag} of at most {_MOST_PIXELS} pixels, got {height} x {width}: give the rows and columns that the "
            "network takes"
        )


def check_crop(crop: tuple[int, int, int, int]) -> None:
    """Refuse a part of a frame that lies in no frame.

    Raises:
        UsageError: it begins outside, has no pixel, or more than any picture.
    """
    top, left, height, width = crop
    if min(top, left) < 0 or min(height, width) < 1:
        raise UsageError(
            f"expected a --crop of at least 1 x 1 that starts inside the frame, got {crop}: give top, left, height and width "
            "in pixels",
            words=("--crop", *[PLACEHOLDER] * 4),
        )
    check_size(height, width, "--crop")
    check_size(top + height, left + width, "frames, by --crop,")


def _changes(size: StatedSize, height: int, width: int) -> list[str]:
    """What a file's size does to frames of another one, where it loses detail or shape: one warning, or none."""
    smaller = size.height < height or size.width < width
    turned = abs(size.height * width - size.width * height) > max(height, width)
    if not smaller and not turned:
        return []
    does = " and ".join(word for word, true in (("smaller", smaller), ("of another aspect", turned)) if true)
    return [
        f"warning: {size.source} makes frames of {height} x {width} (height x width) {does}, {size.height} x {size.width}: "
        f"--input-size {height} {width} leaves them as they are"
    ]


def _doubt(size: StatedSize, height: int, width: int) -> str:
    """What makes it doubtful that a hyper-parameter's size is that to which frames are resized; empty where nothing does."""
    smaller = max(height / size.height, width / size.width)
    turned = max(height * size.width / (size.height * width), size.height * width / (height * size.width))
    if smaller <= _MUCH_SMALLER and turned <= _TURNED:
        return ""
    does = (
        f"{smaller:.3g} times smaller"
        if smaller > _MUCH_SMALLER
        else f"{turned:.3g} times higher or wider for their size"
    )
    return (
        f"makes frames of {height} x {width} (height x width) {does}, {size.height} x {size.width}: it may be the size of a "
        f"training's crops; --input-size {height} {width} leaves them as they are"
    )


def _finding(height: int, width: int, origin: Origin, reason: str = "") -> Finding:
    return Finding(
        "input size", f"{height} x {width} (height x width)", origin, reason, ("--input-size", str(height), str(width))
    )
