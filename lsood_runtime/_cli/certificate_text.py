# SPDX-License-Identifier: Apache-2.0
"""Certificates as tables for people: one of them, and two side by side."""

from collections.abc import Iterable, Iterator

from lsood_runtime._certificate.certificate import Certificate, Decisions
from lsood_runtime._certificate.figures import PairedRatio, Percentiles
from lsood_runtime._inference.placement import node_counts
from lsood_runtime._text.counted import counted


def certificate_text(certificate: Certificate) -> str:
    """A certificate, a line a figure, the verdict last."""
    rows = dict(_rows(certificate))
    lines = [f"{name:<{_width(rows)}}{value}" for name, value in rows.items()]
    lines += [f"FAILED: {failure}" for failure in certificate.failures]
    return "\n".join([*lines, *([_passed(certificate)] if certificate.passed else [])]) + "\n"


def comparison_text(first: Certificate, second: Certificate, worse: list[str]) -> str:
    """Two certificates side by side, then in what the second one is worse."""
    left, right = dict(_rows(first)), dict(_rows(second))
    names, values = _width([*left, *right]), _width(left.values())
    lines = [f"{name:<{names}}{left.get(name, '-'):<{values}}{right.get(name, '-')}" for name in {**left, **right}]
    lines += [f"WORSE: {words}" for words in worse]
    return "\n".join([*lines, *([] if worse else ["the second is no worse"])]) + "\n"


def worse_figures(first: Certificate, second: Certificate) -> list[str]:
    """In what the second certificate is worse than the first: a check that fails, more frames or pixels that changed."""
    worse = [] if second.passed or not first.passed else ["it fails a check that the first one passes"]
    flips = first.decisions.share, second.decisions.share
    if flips[1] > flips[0]:
        worse.append(f"{flips[1]:.2%} of the frames are decided otherwise, {flips[0]:.2%} in the first")
    if first.class_maps is not None:
        before = first.class_maps.changed_pixels
        if second.class_maps is None:
            worse.append("it has no class maps, the first one has: what became of the pixels is not known")
        elif second.class_maps.changed_pixels > before + first.limits.pixel_changes:
            worse.append(
                f"{second.class_maps.changed_pixels:.2%} of the pixels have another class, {before:.2%} in the first"
            )
    return worse


def _passed(certificate: Certificate) -> str:
    """That every check holds, and how much these frames can tell: without a flip on few of them much may be hidden."""
    decisions, frames = certificate.decisions, counted(certificate.frames.count, "frame")
    return (
        f"passed; {frames} exclude, with {decisions.confidence:.0%} confidence, that more than {decisions.at_most:.2%} of "
        "such frames are decided otherwise"
    )


def _rows(certificate: Certificate) -> Iterator[tuple[str, str]]:
    provider, latency = certificate.provider, certificate.latency
    yield "bundle", f"{certificate.bundle.name}, {certificate.bundle.manifest_sha256[:12]}..."
    yield "provider", f"{provider.name}, {provider.arithmetic}"
    for file, placement in provider.graphs.items():
        yield file, ", ".join(f"{count} nodes on {name}" for name, count in node_counts([placement]).items())
    golden = "passed" if certificate.golden.passed else "FAILED"
    yield "golden frames", f"{golden}, scores off by {_number(certificate.golden.score.largest)}"
    yield "frames compared", f"{certificate.frames.count}"
    yield "decisions flipped", _flips(certificate.decisions)
    if certificate.class_maps is not None:
        changed, largest = certificate.class_maps.changed_pixels, certificate.class_maps.largest_of_a_frame
        yield "classes changed", f"{changed:.4%} of the pixels, of a frame up to {largest:.4%}"
    if certificate.objects is not None:
        found = certificate.objects
        overlap = found.smallest_overlap
        least = "" if overlap is None else f", boxes of the others overlap by {overlap:.4f} or more"
        yield "objects", f"{found.without_partner} of {found.cpu + found.provider} without a partner{least}"
    for name, value in certificate.differences.items():
        unlike = f", known on one alone in {counted(value.unlike, 'frame')}" if value.unlike else ""
        yield f"largest: {name}", f"{_number(value.largest)}{unlike}"
    for name, count in certificate.changed_words.items():
        yield f"changed: {name}", f"{counted(count, 'frame')}"
    yield "latency of provider", _times(latency.provider_ms)
    yield "latency of cpu", _times(latency.cpu_ms)
    if latency.network_ms is not None:
        yield "latency of network", _times(latency.network_ms)
    yield "provider / cpu", _ratio(latency.provider_over_cpu)
    if latency.provider_over_network is not None:
        yield "provider / network", _ratio(latency.provider_over_network)
    memory = certificate.memory
    yield "memory, peak", f"{memory.provider_mb:,.0f} MB, with the CPU's {memory.both_mb:,.0f} MB"
    yield "onnxruntime", certificate.versions.onnxruntime
    yield "machine", f"{certificate.machine.processor}, {counted(certificate.machine.cores, 'core')}"


def _flips(decisions: Decisions) -> str:
    return f"{decisions.flipped} ({decisions.share:.2%}; {decisions.low:.2%} to {decisions.high:.2%})"


def _times(times: Percentiles) -> str:
    return f"p50 {times.p50:.2f}, p90 {times.p90:.2f}, p99 {times.p99:.2f}, largest {times.largest:.2f} ms"


def _ratio(ratio: PairedRatio) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.median:.3f} (too few rounds for an interval)"
    return f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.3g}"


def _width(texts: Iterable[str]) -> int:
    """Columns for the longest of some texts, and two more."""
    return max(map(len, texts)) + 2
