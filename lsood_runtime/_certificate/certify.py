# SPDX-License-Identifier: Apache-2.0
"""Compare a provider with the CPU provider on frames of the user, and sum it up as a certificate."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.bundle_files import open_files
from lsood_runtime._bundle.reader import read_sealed_manifest
from lsood_runtime._certificate.bare_network import bare_network
from lsood_runtime._certificate.certificate import (
    DEFAULT_LIMITS,
    Certificate,
    CertifiedBundle,
    CertifiedProvider,
    ComparedFrames,
    Decisions,
    GoldenError,
    GoldenResult,
    Latency,
    Limits,
    PeakMemory,
)
from lsood_runtime._certificate.differences import Differences
from lsood_runtime._certificate.figures import (
    CONFIDENCE,
    paired_ratio,
    percentiles,
    share_bound,
    share_interval,
    take_turns,
)
from lsood_runtime._certificate.machine import arithmetic, describe_machine, peak_memory_mb, versions
from lsood_runtime._exceptions import BundleError, MediaError
from lsood_runtime._inference.providers import CPU, ResolvedProvider
from lsood_runtime._inference.self_test import SelfTest
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._text.counted import counted
from lsood_runtime._text.json_values import finite_or_none
from lsood_runtime._text.printable import printable

_KEPT_FRAMES = 8
"""Frames that are timed in turn: one alone would lie in the caches."""

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifyOptions:
    """How a provider is certified.

    Attributes:
        providers: full names with options, in order of preference.
        require_provider: refuse a provider that leaves nodes to the CPU.
        threads: of the CPU provider within an operator; None for one a core.
        rounds: that are timed.
        network: ONNX of the network without a monitor, to be timed beside it; None for none.
        limits: what the provider may change.
        manifest_sha256: that the bundle must have; None for any.
        public_key: that must have signed the bundle; None for no signature.
    """

    providers: Sequence[ResolvedProvider]
    require_provider: bool = False
    threads: int | None = None
    rounds: int = 100
    network: Path | None = None
    limits: Limits = DEFAULT_LIMITS
    manifest_sha256: str | None = None
    public_key: Path | None = None


def certify(
    bundle: str,
    frames: Callable[[OoDMonitor], Iterable[tuple[str, Image]]],
    options: CertifyOptions,
    on_step: Callable[[int, str], None] = lambda _count, _what: None,
) -> Certificate:
    """Certify a provider on this machine.

    Both monitors take batches of one frame and stand in one process; neither falls back to another provider.

    Args:
        bundle: folder of it.
        frames: called with the provider's monitor once it is open, for the names and images to compare; at least one.
        options: how.
        on_step: called with how many frames are done, and ``compared`` or ``timed``.

    Raises:
        BundleError: the bundle cannot be used, or draws fresh masks, so that no two scores are alike.
        ProviderError: the provider does not run here.
        MediaError: there is no frame, or the bare network cannot be loaded.
    """

    with open_files(Path(bundle)) as files:
        sha256 = read_sealed_manifest(files, options.manifest_sha256).sha256

    def opened(providers: Sequence[ResolvedProvider], *, every_node: bool) -> OoDMonitor:
        return OoDMonitor(
            bundle,
            providers=providers,
            require_provider=every_node,
            threads=options.threads,
            batch=1,
            self_test=False,
            expected_sha256=sha256,
            public_key=options.public_key,
        )

    with opened(options.providers, every_node=options.require_provider) as monitor:
        if monitor.manifest.masks.mode == "fresh":
            raise BundleError(
                "expected fixed masks or masks from noise, this bundle draws fresh ones, so that no two scores of a frame "
                "are alike: export with --masks fixed"
            )
        golden = monitor.self_test()
        alone_mb = peak_memory_mb()
        calls = {}
        if options.network is not None:
            calls["network"] = bare_network(options.network, options.providers, options.threads)
        with opened([(CPU, {})], every_node=False) as cpu:
            differences, kept, digest = _compare(frames(monitor), monitor, cpu, on_step)
            calls["provider"] = lambda i: monitor.assess(kept[i % len(kept)])
            calls["cpu"] = lambda i: cpu.assess(kept[i % len(kept)])
            latency = _latency(calls, options.rounds, lambda count: on_step(count, "timed"))
        failures = _failures(golden, differences, options.limits)
        manifest, provider = monitor.manifest, options.providers[0]
        return Certificate(
            passed=not failures,
            failures=tuple(failures),
            limits=options.limits,
            bundle=CertifiedBundle(manifest.name, sha256, manifest.precision.kind, manifest.detector.kind),
            provider=CertifiedProvider(
                name=monitor.provider,
                options={printable(key): printable(str(value)) for key, value in provider[1].items()},
                arithmetic=printable(arithmetic(manifest.precision.kind, provider)),
                threads=options.threads,
                nodes=golden.placement,
                graphs={
                    file: {name: dict(operators) for name, operators in placement.items()}
                    for file, placement in golden.placements.items()
                },
                every_node=golden.placement.keys() == {monitor.provider},
            ),
            golden=_golden(golden),
            frames=ComparedFrames(differences.frames, digest),
            decisions=_decisions(differences),
            class_maps=differences.class_maps,
            objects=differences.objects,
            differences=differences.numbers,
            changed_words=differences.changed_words,
            latency=latency,
            memory=PeakMemory(alone_mb, peak_memory_mb()),
            versions=versions(),
            machine=describe_machine(),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _compare(
    frames: Iterable[tuple[str, Image]], monitor: OoDMonitor, cpu: OoDMonitor, on_step: Callable[[int, str], None]
) -> tuple[Differences, list[Image], str]:
    """The differences on all frames, the first few frames, and the digest of all pixels."""
    differences, kept, digest = Differences(), list[Image](), hashlib.sha256()
    for name, image in frames:
        differences.add(printable(name), cpu.assess(image), monitor.assess(image))
        digest.update(image.tobytes())
        if len(kept) < _KEPT_FRAMES:
            kept.append(image)
        on_step(differences.frames, "compared")
    if not kept:
        raise MediaError("expected at least one frame to compare, got none: name images of the bundle's camera")
    return differences, kept, digest.hexdigest()


def _latency(calls: dict[str, Callable[[int], object]], rounds: int, on_round: Callable[[int], None]) -> Latency:
    times = take_turns(calls, rounds, on_round)
    provider, cpu, network = times["provider"], times["cpu"], times.get("network")
    return Latency(
        rounds=rounds,
        provider_ms=percentiles(provider),
        cpu_ms=percentiles(cpu),
        network_ms=None if network is None else percentiles(network),
        provider_over_cpu=paired_ratio(provider, cpu),
        provider_over_network=None if network is None else paired_ratio(provider, network),
    )


def _decisions(differences: Differences) -> Decisions:
    flipped, frames = differences.flip_count, differences.frames
    low, high = share_interval(flipped, frames)
    at_most = share_bound(flipped, frames)
    return Decisions(flipped, flipped / frames, low, high, at_most, CONFIDENCE, tuple(differences.flips))


def _golden(result: SelfTest) -> GoldenResult:
    """The largest errors on the golden frames; None where the bundle keeps nothing to compare."""
    score = _golden_error(result.errors, result.tolerance)
    classes = _golden_error(result.pixel_changes, result.pixel_tolerance) if result.pixel_changes else None
    answers = _golden_error(result.answer_errors, result.answer_tolerance) if result.answer_errors else None
    return GoldenResult(result.passed, len(result.scores), score, classes, answers)


def _golden_error(errors: Sequence[float], tolerance: float) -> GoldenError:
    largest = max(errors, key=lambda error: math.inf if math.isnan(error) else error)
    return GoldenError(finite_or_none(largest), tolerance)


def _failures(golden: SelfTest, differences: Differences, limits: Limits) -> list[str]:
    """The checks that do not hold."""
    failures = [] if golden.passed else ["the golden frames do not get their scores, classes and answers back"]
    if differences.flip_count > limits.flips * differences.frames:
        failures.append(
            f"{differences.flip_count} of {counted(differences.frames, 'frame')} decided otherwise than on the CPU provider, "
            f"at most {limits.flips:.2%} may be"
        )
    maps = differences.class_maps
    if maps is not None and maps.changed_pixels > limits.pixel_changes:
        failures.append(
            f"{maps.changed_pixels:.2%} of the pixels have another class than on the CPU provider, "
            f"at most {limits.pixel_changes:.2%} may"
        )
    unlike = [name for name, value in differences.numbers.items() if value.unlike]
    if unlike:
        failures.append(f"numbers are known on one provider alone: {', '.join(unlike)}")
    return failures
