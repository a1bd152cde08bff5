# SPDX-License-Identifier: Apache-2.0
"""Read a certificate from its JSON, with every field checked against its type, its range and the others."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from lsood_runtime._bundle.digests import is_sha256
from lsood_runtime._bundle.record_parser import FieldError, parse_fields
from lsood_runtime._certificate.certificate import SCHEMA, Certificate, Decisions, Latency
from lsood_runtime._certificate.differences import MOST_NAMED
from lsood_runtime._certificate.figures import PairedRatio, Percentiles
from lsood_runtime._exceptions import MediaError, one_line, reason_of
from lsood_runtime._plain_file import read_plain
from lsood_runtime._text.json_values import parse_json

_LARGEST = 64 * 2**20
_LARGEST_NUMBER = 1e18  # of any figure: a larger one is no time, count, score or size
_MARKS = {"decisions", "golden", "provider"}
"""Fields that tell a certificate from other JSON."""

_Check = tuple[str, bool, str, object]
"""Name of the field, whether its value is valid, what was expected, the value."""


def read_certificate(path: Path) -> Certificate:
    """Read a certificate.

    Raises:
        MediaError: it cannot be read, is no certificate, of a schema that this version does not know, or a field of it is
            missing, of another type, out of its range, or at odds with another.
    """
    try:
        contents = read_plain(path, _LARGEST)
    except (OSError, ValueError) as error:
        raise MediaError(f"expected a certificate, cannot read {path}: {reason_of(error)}; check its path") from error
    return parse_certificate(contents, path)


def parse_certificate(contents: bytes, path: Path) -> Certificate:
    """Read the contents of a certificate.

    Args:
        contents: of the file.
        path: of the file, for messages.

    Raises:
        MediaError: as :func:`read_certificate`.
    """
    try:
        values = parse_json(contents)
    except (ValueError, RecursionError) as error:
        raise MediaError(
            f"expected a certificate, got {path}, which is no JSON ({one_line(error)}): make it anew"
        ) from error
    if not (isinstance(values, dict) and values.keys() >= _MARKS):
        raise MediaError(
            f"expected a certificate, as lsood certify writes it, got {path}, which is another document: "
            "name a certificate"
        )
    _check_schema(values.get("schema"), path)
    try:
        certificate = parse_fields(Certificate, values)
        for where, holds, expected, value in _checks(certificate):
            if not holds:
                raise FieldError.of(where, expected, value)
    except FieldError as error:
        raise MediaError(f"expected of the certificate {path} its {error}: it was changed, make it anew") from error
    return certificate


def _check_schema(schema: object, path: Path) -> None:
    remedy = "make it anew"
    if isinstance(schema, int) and not isinstance(schema, bool):
        if schema == SCHEMA:
            return
        if 1 <= schema < SCHEMA:
            remedy = "an older version wrote it, with fewer fields; certify bundle, provider and frames again"
        elif schema > SCHEMA:
            remedy = "a newer version wrote it; read it with that one, or certify again"
    raise MediaError(f"expected a certificate of schema {SCHEMA}, got {schema!r:.40} in {path}: {remedy}")


def _checks(certificate: Certificate) -> Iterator[_Check]:
    """Every figure that its reader relies on."""
    limits, golden, frames = certificate.limits, certificate.golden, certificate.frames
    yield "passed", certificate.passed != bool(certificate.failures), "true without failures", certificate.passed
    yield "limits", _are_shares(limits.flips, limits.pixel_changes), "shares from 0 to 1", limits
    for name, digest in (
        ("bundle.manifest_sha256", certificate.bundle.manifest_sha256),
        ("frames.sha256", frames.sha256),
    ):
        yield name, is_sha256(digest), "64 hexadecimal digits", digest
    yield "frames.count", 1 <= frames.count <= _LARGEST_NUMBER, "at least 1", frames.count
    nodes = [*certificate.provider.nodes.values()]
    nodes += [
        count for graph in certificate.provider.graphs.values() for each in graph.values() for count in each.values()
    ]
    threads = [] if certificate.provider.threads is None else [certificate.provider.threads]
    counts = [*nodes, *threads, golden.frames, certificate.latency.rounds, certificate.machine.cores]
    yield "provider", _are_counts(*counts), "numbers of at least 0", counts
    for error in (golden.score, golden.pixel_changes, golden.answers):
        if error is not None:
            yield "golden", _are_sizes(error.largest or 0.0, error.tolerance), "errors of at least 0", error
    yield from _of_decisions(certificate.decisions, frames.count)
    maps, objects = certificate.class_maps, certificate.objects
    if maps is not None:
        shares = _are_shares(maps.changed_pixels, maps.largest_of_a_frame)
        yield "class_maps", shares and 0 <= maps.frames <= frames.count, "shares from 0 to 1", maps
    if objects is not None:
        valid = _are_counts(objects.cpu, objects.provider, objects.without_partner)
        valid = valid and objects.without_partner <= objects.cpu + objects.provider
        yield "objects", valid and _are_shares(objects.smallest_overlap or 0.0), "counts and an overlap", objects
    for name, each in certificate.differences.items():
        valid = _are_sizes(each.largest) and 0 <= each.unlike <= frames.count
        yield f"differences.{name}", valid, "a distance and a number of frames", each
    for name, count in certificate.changed_words.items():
        yield f"changed_words.{name}", 0 <= count <= frames.count, "a number of compared frames", count
    yield from _of_latency(certificate.latency)
    memory = certificate.memory
    yield "memory", _are_sizes(memory.provider_mb, memory.both_mb), "megabytes of at least 0", memory


def _of_decisions(decisions: Decisions, frames: int) -> Iterator[_Check]:
    flipped, share = decisions.flipped, decisions.share
    yield "decisions.flipped", 0 <= flipped <= frames, f"from 0 to {frames}", flipped
    yield "decisions.share", math.isclose(share, flipped / frames), f"{flipped} of {frames} frames", share
    ends = (decisions.low, share, decisions.high)
    yield "decisions", _are_shares(*ends) and sorted(ends) == list(ends), "a share within its interval", ends
    bounds = (decisions.at_most, decisions.confidence)
    yield "decisions", _are_shares(*bounds) and share <= decisions.at_most, "a bound above the share", bounds
    named = min(flipped, MOST_NAMED)
    yield "decisions.frames", len(decisions.frames) == named, f"{named} frames", len(decisions.frames)
    scores = [score for frame in decisions.frames for score in (frame.cpu_score, frame.score) if score is not None]
    yield "decisions.frames", _are_sizes(*map(abs, scores)), "scores", scores


def _of_latency(latency: Latency) -> Iterator[_Check]:
    times: Mapping[str, Percentiles | None] = {
        "provider_ms": latency.provider_ms,
        "cpu_ms": latency.cpu_ms,
        "network_ms": latency.network_ms,
    }
    for name, values in times.items():
        if values is not None:
            rising = (values.p50, values.p90, values.p99, values.largest)
            valid = _are_sizes(*rising) and sorted(rising) == list(rising)
            yield f"latency.{name}", valid, "percentiles in order, milliseconds", rising
    ratios: Mapping[str, PairedRatio | None] = {
        "provider_over_cpu": latency.provider_over_cpu,
        "provider_over_network": latency.provider_over_network,
    }
    for name, ratio in ratios.items():
        if ratio is not None:
            low, high = ratio.low, ratio.high
            ends = [end for end in (low, ratio.median, high) if end is not None]
            valid = (low is None) == (high is None) and _are_sizes(*ends) and sorted(ends) == ends
            yield f"latency.{name}", valid, "a median within its interval", ends
    alike = (latency.network_ms is None) == (latency.provider_over_network is None)
    yield "latency.network_ms", alike, "there where provider_over_network is", latency.network_ms


def _are_shares(*values: float) -> bool:
    return all(0 <= value <= 1 for value in values)


def _are_counts(*values: int) -> bool:
    return all(0 <= value <= _LARGEST_NUMBER for value in values)


def _are_sizes(*values: float) -> bool:
    return all(0 <= value <= _LARGEST_NUMBER for value in values)
