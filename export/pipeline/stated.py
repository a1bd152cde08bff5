# SPDX-License-Identifier: Apache-2.0
"""Findings on what the options, the checkpoint and the sampled network state themselves."""

from collections.abc import Iterator, Mapping, Sequence

from export.checkpoint.chosen_output import network_name
from export.findings import Finding, Origin
from export.pipeline.default_tap import ONE_DROP_BLOCK
from export.pipeline.network_channels import resolve_network_channels
from export.pipeline.options import ExportOptions
from export.pipeline.preprocessor_config import read_preprocessor_config
from export.pipeline.random_frames import RandomFrames
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork

_MOST = 6
_LONGEST = 24


def stated_by_inputs(given: ExportOptions, inputs: ExportInputs) -> Iterator[Finding]:
    """Yield findings on the network and its input.

    Args:
        given: options as the user gave them.
        inputs: of the export, with stand-ins for what is missing.
    """
    checkpoint, frames = inputs.checkpoint, inputs.frames
    reasons = [] if given.model else ["without --model"]
    if given.method is not None:
        reasons.append(f"called by --method {given.method}")
    origin: Origin = "given" if given.model else "guessed"
    yield Finding("network", network_name(checkpoint.network), origin, ", ".join(reasons))
    if not isinstance(frames, RandomFrames):
        drives = len(set(inputs.split.drives))
        value = f"{len(frames)} of {frames.shape[0]} x {frames.shape[1]}"
        yield Finding("frames", value + (f" of {drives} drives" if drives > 1 else ""), "given")
    order = inputs.preprocessing.network_channels
    if given.network_channels is not None:
        yield Finding("channels", order, "given")
    else:
        source = resolve_network_channels(inputs.options, checkpoint, read_preprocessor_config(checkpoint.path)).source
        reason = "nothing states another order" if source is None else f"by {source}"
        yield Finding("channels", order, "guessed" if source is None else "found", reason)


def stated_arguments(given: ExportOptions, inputs: ExportInputs) -> Iterator[Finding]:
    """Yield findings on the arguments that the user typed, and on the checkpoint's own; as :func:`stated_by_inputs`."""
    typed = given.model_args
    if typed:
        yield Finding("arguments", _pairs(typed), "given")
    found = {name: value for name, value in inputs.checkpoint.hyper_parameters.items() if name not in typed}
    if found:
        yield Finding("arguments", _pairs(found), "found", "the checkpoint's")


def stated_by_network(given: ExportOptions, sampled: SampledNetwork) -> Iterator[Finding]:
    """Yield findings on tap and masks.

    Args:
        given: options as the user gave them.
        sampled: the network.
    """
    sampler = sampled.sampler
    taps = f"{', '.join(sampler.taps)}, {sampler.channels} channels"
    yield Finding("tap", taps, _given(bool(given.tap)), "" if given.tap else ONE_DROP_BLOCK)
    added = [site for site in sampler.sites if site.added]
    kinds = list(dict.fromkeys(str(site.randomness) for site in sampler.sites))
    value = f"{sampler.samples} masks of {' and '.join(kinds[:2])}" + (" and others" if len(kinds) > 2 else "")
    by_flag = given.drop_prob is not None or given.block_size is not None
    reason = "added at the tap" if added else f"of {_some([site.layer for site in sampler.sites])}"
    yield Finding("DropBlock", value, _given(by_flag), reason)


def _given(by_option: bool) -> Origin:
    return "given" if by_option else "found"


def _pairs(arguments: Mapping[str, object]) -> str:
    shown = [f"{name}={_short(str(value))}" for name, value in [*arguments.items()][:_MOST]]
    return ", ".join(shown) + (f" and {len(arguments) - _MOST} more" if len(arguments) > _MOST else "")


def _some(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:_MOST]) + (f" and {len(distinct) - _MOST} more" if len(distinct) > _MOST else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
