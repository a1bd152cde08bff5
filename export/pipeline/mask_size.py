# SPDX-License-Identifier: Apache-2.0
"""Size of the masks that a bundle stores, and flags that make it smaller where it is large."""

from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter
from export.sampling.sampler import Sampler

LARGE = 100_000_000
"""Bytes of masks above which an export warns."""

_FEWEST_SAMPLES = 8


def report_mask_size(sampled: SampledNetwork, reporter: Reporter) -> None:
    """Warn of masks that take much of a bundle, as those of an element-wise dropout on a large map do.

    Args:
        sampled: the network with its masks.
        reporter: told what takes the room, and the flags that save it.
    """
    sampler = sampled.sampler
    sizes = stored_bytes(sampler)
    total = sum(sizes.values())
    if total <= LARGE:
        return
    largest = max(sizes, key=lambda layer: sizes[layer])
    fewer = sampler.samples * LARGE // total
    ways = ["--masks fresh or --masks input, which store none"]
    if any(layer not in sampler.taps for layer in sizes):
        ways.append("--only-tap, which masks the tap alone")
    if fewer >= _FEWEST_SAMPLES:
        ways.append(f"--mc-samples {fewer}")
    ways.append("a --tap on a smaller map, or with DropBlock, whose masks all channels share")
    reporter.stage(
        f"warning: the masks take {total / 1e6:.0f} MB of the bundle, {sizes[largest] / 1e6:.0f} of them at {largest}: "
        f"smaller by {'; '.join(ways)}"
    )


def stored_bytes(sampler: Sampler) -> dict[str, int]:
    """Bytes of the masks of each layer as the graphs hold them; empty where none are stored."""
    if sampler.bank is None:
        return {}
    sizes: dict[str, int] = {}
    for site, masks in zip(sampler.sites, sampler.bank.keep, strict=True):
        each = 4 if site.randomness.stores_weights else 1
        sizes[site.layer] = sizes.get(site.layer, 0) + each * masks.size
    return sizes
