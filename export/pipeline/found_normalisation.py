# SPDX-License-Identifier: Apache-2.0
"""Find mean and deviation of a network's input: by the flags, or by the first source beside them that states them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding, Origin
from export.pipeline.hyper_parameters import stated_normalisations
from export.pipeline.imagenet_order import IMAGENET_MEAN, IMAGENET_STD
from export.pipeline.inner_normalisation import InnerNormalisation, inner_normalisation
from export.pipeline.network_channels import ChannelOrder
from export.pipeline.network_options import NetworkOptions
from export.pipeline.network_settings import imagenet_library, timm_normalisations, torchvision_normalisations
from export.pipeline.preprocessor_config import PreprocessorConfig
from export.pipeline.stated_preprocessing import StatedNormalisation, spread, words


@dataclass(frozen=True)
class FoundNormalisation:
    """Mean and deviation of a network's input.

    Attributes:
        mean: of each channel, of pixels in [0, 1].
        std: likewise.
        finding: where they come from.
        warnings: what speaks against them, one line each.
        inner_mean: the one by which the network normalises its input itself, in its own unit; empty where it does not.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    finding: Finding
    warnings: tuple[str, ...] = ()
    inner_mean: tuple[float, ...] = ()


def find_normalisation(
    options: NetworkOptions,
    checkpoint: Checkpoint,
    config: PreprocessorConfig | None,
    size: tuple[int, int],
    order: ChannelOrder,
) -> FoundNormalisation:
    """Choose mean and deviation.

    The flags come first. A network that normalises its input itself gets it as it is. Then come the hyper-parameters, an
    image processor's settings, the constants that the network keeps and does not read, and those that timm and torchvision
    keep for their weights.

    Args:
        options: flags.
        checkpoint: network and hyper-parameters.
        config: an image processor's settings beside the checkpoint.
        size: rows and columns of the network's input.
        order: of its channels, and how many they are.

    Raises:
        UsageError: no source states both, or one states them in a form that is not understood.
        ConversionError: the network keeps such constants, and raises an exception.
    """
    inner = inner_normalisation(checkpoint.network, (order.count, *size))
    found = _choose(options, checkpoint, config, inner, order)
    return replace(found, inner_mean=inner.mean) if inner is not None and inner.use == "input" else found


def _choose(
    options: NetworkOptions,
    checkpoint: Checkpoint,
    config: PreprocessorConfig | None,
    inner: InnerNormalisation | None,
    order: ChannelOrder,
) -> FoundNormalisation:
    count = order.count
    mean, std = (_of_flag(values, count) for values in (options.mean, options.std))
    if mean is not None and std is not None:
        twice = _twice(inner, mean, std)
        return FoundNormalisation(mean, std, _finding(mean, std, "given", twice), _warnings(twice))
    sources = [source for source in _sources(checkpoint, config, inner) if source.fits(count)]
    if mean is None and std is None:
        return _first_complete(sources, inner, count) or _refuse(checkpoint, inner, order)
    name = "mean" if std is None else "std"
    lacking = "std" if std is None else "mean"
    for source in sources:
        mean, std = mean or source.mean, std or source.std
        if mean is not None and std is not None:
            mean, std = spread(mean, count), spread(std, count)
            other = "standard deviation" if name == "mean" else "mean"
            twice = _twice(inner, mean, std)
            reason = f"{other} by {source.source}" + (f"; {twice}" if twice else "")
            return FoundNormalisation(mean, std, _finding(mean, std, "found", reason), _warnings(twice))
    return _refuse(checkpoint, inner, order, (lacking,))


def _of_flag(values: tuple[float, ...] | None, count: int) -> tuple[float, ...] | None:
    """Values of a flag, of which a network of one channel takes one.

    Raises:
        UsageError: three numbers for one channel.
    """
    if values is None or len(values) == count:
        return values
    if len(set(values)) > 1:
        raise UsageError(
            f"expected one number three times in --mean and --std of a network of one channel, got {words(values)}: "
            "give its own three times, or --network-channels rgb for a network of three"
        )
    return spread(values[:1], count)


def _first_complete(
    sources: list[StatedNormalisation], inner: InnerNormalisation | None, count: int
) -> FoundNormalisation | None:
    complete = [source for source in sources if source.complete]
    if not complete:
        return None
    chosen, *others = complete
    assert chosen.mean is not None
    assert chosen.std is not None
    mean, std = spread(chosen.mean, count), spread(chosen.std, count)
    warnings: tuple[str, ...] = ()
    applied = mean, std
    if inner is not None and inner.use == "input":
        warnings, applied = (_of_inner(inner),), (inner.mean, inner.std)
    warnings += tuple(
        f"warning: {other.source} has mean {words(other.mean or ())} and standard deviation {words(other.std or ())}, which "
        f"is not taken: {chosen.source} comes first; --mean and --std decide otherwise"
        for other in others
        if other.differs(*(spread(values, count) for values in applied))
    )
    origin: Origin = "found" if chosen.certain else "guessed"
    reason = f"by {chosen.source}" + (f"; {chosen.remark}" if chosen.remark else "")
    return FoundNormalisation(mean, std, _finding(mean, std, origin, reason), warnings)


def _finding(mean: Sequence[float], std: Sequence[float], origin: Origin, reason: str = "") -> Finding:
    flags = ("--mean", *words(spread(mean, 3)).split(), "--std", *words(spread(std, 3)).split())
    return Finding("mean and deviation", f"{words(mean)}, {words(std)}", origin, reason, flags)


def _sources(
    checkpoint: Checkpoint, config: PreprocessorConfig | None, inner: InnerNormalisation | None
) -> Iterator[StatedNormalisation]:
    if inner is not None and inner.use == "input":
        yield StatedNormalisation(
            f"the network, which normalises its input itself ({inner.place})",
            (0.0,),
            (1 / inner.white,),
            inner.certain,
        )
    yield from stated_normalisations(checkpoint.hyper_parameters)
    if config is not None and (stated := config.normalisation()) is not None:
        yield stated
    if inner is not None and inner.use == "none":
        white = inner.white
        yield StatedNormalisation(
            f"{inner.place}, which the network keeps and does not read",
            tuple(value / white for value in inner.mean),
            tuple(value / white for value in inner.std),
        )
    yield from timm_normalisations(checkpoint.network)
    yield from torchvision_normalisations(checkpoint.hyper_parameters)


def _twice(inner: InnerNormalisation | None, mean: Sequence[float], std: Sequence[float]) -> str:
    """What is wrong with constants of a network that normalises its input itself; empty where they only scale it."""
    if (
        inner is None
        or inner.use != "input"
        or (not any(mean) and any(words(std) == words([1 / white] * len(std)) for white in (1, 255)))
    ):
        return ""
    neutral = f"--mean 0 0 0 --std {words([1 / inner.white] * 3)}"
    return f"the network normalises its input itself ({inner.place}), which makes it twice: {neutral} makes it once"


def _warnings(text: str) -> tuple[str, ...]:
    return (f"warning: {text}",) if text else ()


def _of_inner(inner: InnerNormalisation) -> str:
    taken = "0 to 1" if inner.white == 1 else "0 to 255"
    other = 255 if inner.white == 1 else 1
    return (
        f"pixels reach the network as {taken}; if its training handed over 0 to {other}: "
        f"--mean 0 0 0 --std {words([1 / other] * 3)}"
    )


def _refuse(
    checkpoint: Checkpoint,
    inner: InnerNormalisation | None,
    order: ChannelOrder,
    lacking: tuple[str, ...] = ("mean", "std"),
) -> NoReturn:
    text = (
        "expected --mean and --std, the checkpoint does not say how its frames were normalised "
        "(the guide: 0.287 0.325 0.284 and 0.187 0.190 0.187 on Cityscapes, ImageNet's on WoodScape)"
    )
    if inner is not None and inner.use == "other":
        text = (
            "expected --mean and --std, the network keeps constants of normalisation and does more with them than to "
            f"normalise its input ({inner.place}): give what its training did before it"
        )
    values = dict.fromkeys(lacking, [PLACEHOLDER] * 3)
    library = imagenet_library(checkpoint.network)
    if library is not None and order.count == 3:
        mean, std = (each[::-1] if order.order == "bgr" else each for each in (IMAGENET_MEAN, IMAGENET_STD))
        values = {name: words({"mean": mean, "std": std}[name]).split() for name in lacking}
        text += (
            f"; published weights of {library}, of which this network has parts, are mostly of frames normalised as "
            f"ImageNet's: if these are, give {' '.join(_flags(values))}"
        )
    raise UsageError(text, words=_flags(values))


def _flags(values: Mapping[str, Sequence[str]]) -> list[str]:
    return [word for name, numbers in values.items() for word in (f"--{name}", *numbers)]
