# SPDX-License-Identifier: Apache-2.0
"""The mask bank: S sets of masks drawn once from a seed, so that a frame's score depends on the frame alone."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from export.errors import TapError
from export.sampling.site import Site

Mask = NDArray[np.bool_ | np.float32]

MAX_NO_DROP_PROBABILITY = 0.05
"""A larger share of masks that drop nothing is refused: their samples are all the same sample."""

_MAX_REJECTED_IN_A_ROW = 1000
_MAX_BANK_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class MaskBank:
    """S sets of masks, one mask a site in each set.

    No two sets are equal, no mask keeps nothing, and no set keeps everything.

    Attributes:
        keep: for each site ``(S, *noise_shape)`` bool, True where the layer keeps its input; float32 where masks are numbers.
        seed: what it was drawn from.
    """

    keep: tuple[Mask, ...]
    seed: int

    @cached_property
    def sha256(self) -> str:
        """Hex digest over each site's shape, dtype and bytes (C order), in the order of the sites."""
        digest = hashlib.sha256()
        for masks in self.keep:
            digest.update(f"{masks.shape}{masks.dtype.str}".encode())
            digest.update(np.ascontiguousarray(masks).tobytes())
        return digest.hexdigest()


def no_drop_probability(sites: Sequence[Site]) -> float:
    """Probability that a set of masks drops nothing at any site: the samples that it gives would all be equal.

    For DropBlock on a map of H x W cells that is ``(1 - p / b^2)^(H W)``.
    """
    return math.prod(site.randomness.no_drop_probability(math.prod(site.noise_shape)) for site in sites)


def check_no_drop_probability(sites: Sequence[Site], force: bool = False) -> None:
    """Refuse constants under which too many draws drop nothing.

    Raises:
        TapError: more than ``MAX_NO_DROP_PROBABILITY`` of the draws drop nothing, and ``force`` is False.
    """
    share = no_drop_probability(sites)
    if share > MAX_NO_DROP_PROBABILITY and not force:
        raise TapError(
            f"expected at most {MAX_NO_DROP_PROBABILITY:.0%} of masks to drop nothing, got {share:.1%} ({_where(sites)}): "
            "raise the drop probability, lower the block size, tap a larger map, or accept it by --force"
        )


def draw_mask_bank(sites: Sequence[Site], samples: int, seed: int, force: bool = False) -> MaskBank:
    """Draw S distinct sets of masks with NumPy's PCG64.

    A set is drawn again where a mask keeps nothing, where the whole set drops nothing, and where it came before.

    Args:
        sites: where masks enter, in the order of execution; at least one.
        samples: S, at least 1.
        seed: of the generator, at least 0; the same seed gives the same bank everywhere.
        force: accept constants under which many draws drop nothing (these draws are still rejected).

    Raises:
        TapError: too many draws drop nothing, S distinct masks cannot be found, or the bank is too large to ship.
    """
    check_no_drop_probability(sites, force)
    size = samples * sum(math.prod(site.noise_shape) for site in sites)
    if size > _MAX_BANK_BYTES:
        raise TapError(
            f"expected a mask bank of at most {_MAX_BANK_BYTES / 2**30:.0f} GiB, S = {samples} masks need "
            f"{size / 2**30:.1f} GiB ({_where(sites)}): lower S, take fresh masks, or tap a layer with DropBlock"
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    seen: set[bytes] = set()
    sets: list[list[Mask]] = []
    rejected = 0
    while len(sets) < samples and rejected < _MAX_REJECTED_IN_A_ROW:
        masks = [_draw(site, generator) for site in sites]
        identity = hashlib.sha256(b"".join(mask.tobytes() for mask in masks)).digest()
        valid = all(mask.any() for mask in masks) and any(mask.dtype != bool or not mask.all() for mask in masks)
        if valid and identity not in seen:
            seen.add(identity)
            sets.append(masks)
            rejected = 0
        else:
            rejected += 1
    if len(sets) < samples:
        raise TapError(
            f"expected {samples} distinct masks that keep something and drop something, found {len(sets)} before "
            f"{rejected} draws in a row were of no use ({_where(sites)}): lower S, or change the drop probability"
        )
    return MaskBank(tuple(np.stack(masks) for masks in zip(*sets, strict=True)), seed)


def _draw(site: Site, generator: np.random.Generator) -> Mask:
    uniform = torch.from_numpy(generator.random(site.noise_shape, dtype=np.float32))
    keep: NDArray[np.float32] = site.randomness.keep(uniform[None])[0].numpy()
    return keep.astype(bool) if site.randomness.is_binary else keep


def _where(sites: Sequence[Site]) -> str:
    return "; ".join(str(site) for site in sites)
