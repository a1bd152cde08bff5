# SPDX-License-Identifier: Apache-2.0
"""The certificate of a provider: its fields, its limits, and its JSON."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsood_runtime._exceptions import MediaError, one_line
from lsood_runtime._text.json_values import parse_json

SCHEMA = 1
"""Rises with a field that goes or changes its meaning; readers leave out fields that they do not know."""

_LARGEST = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider may change.

    Attributes:
        flips: share of the frames in another state than on the CPU provider.
        pixel_changes: share of all pixels of another class.
    """

    flips: float = 0.0
    pixel_changes: float = 0.02


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a provider decides, computes and costs on frames of the user, beside the CPU provider of the same process.

    Attributes:
        passed: whether every check holds.
        failures: the checks that do not, a sentence each.
        limits: that were checked.
        bundle: its name, the ``manifest_sha256``, the precision and detector.
        provider: its name, options, the ``arithmetic``, and how many nodes of each graph run where, by operator.
        golden: largest errors on the golden frames, with their tolerances, and whether they passed.
        frames: how many were compared, and the ``sha256`` of their pixels.
        decisions: frames in another state, their share with its 95 % interval, and the first hundred by name.
        class_maps: share of pixels of another class; None where the bundle gives no class maps.
        differences: the largest difference of each number of the verdicts.
        changed_words: frames of another cause, or another number of unknown objects.
        latency: milliseconds of a frame on the provider, on the CPU provider and of the bare network, with paired ratios.
        memory: most host memory of the process, megabytes, with the provider's monitor alone and with both.
        versions: of what computed.
        machine: processor, cores, system and devices.
        made_at: UTC.
        schema: of this document.
    """

    passed: bool
    failures: tuple[str, ...]
    limits: Mapping[str, float]
    bundle: Mapping[str, object]
    provider: Mapping[str, Any]
    golden: Mapping[str, Any]
    frames: Mapping[str, Any]
    decisions: Mapping[str, Any]
    class_maps: Mapping[str, Any] | None
    differences: Mapping[str, Any]
    changed_words: Mapping[str, int]
    latency: Mapping[str, Any]
    memory: Mapping[str, float]
    versions: Mapping[str, str]
    machine: Mapping[str, object]
    made_at: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The certificate as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def read_certificate(path: Path) -> Certificate:
    """Read a certificate.

    Raises:
        MediaError: it cannot be read, is no certificate, or of a schema that this version does not know.
    """
    try:
        with path.open("rb") as file:
            values = parse_json(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise MediaError(f"expected a certificate, cannot read {path}: {one_line(error)}") from error
    fields = {field.name: field for field in dataclasses.fields(Certificate)}
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        got = values.get("schema") if isinstance(values, dict) else type(values).__name__
        raise MediaError(f"expected a certificate of schema {SCHEMA}, got {got!r} in {path}: make it anew")
    missing = [name for name in fields if name not in values]
    wrong = [
        name
        for name in _TABLES
        if name not in missing
        and not isinstance(values[name], dict)
        and not (name == "class_maps" and values[name] is None)
    ]
    if missing or wrong:
        raise MediaError(
            f"expected every field of a certificate, got {path} without {', '.join([*missing, *wrong])}: make it anew"
        )
    return Certificate(**{name: values[name] for name in fields})


_TABLES = (
    *("limits", "bundle", "provider", "golden", "frames", "decisions", "class_maps", "differences", "changed_words"),
    *("latency", "memory", "versions", "machine"),
)
