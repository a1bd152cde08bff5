# SPDX-License-Identifier: Apache-2.0
"""The certificate of a provider: its fields, its limits, and its JSON."""

import dataclasses
import json
from dataclasses import dataclass

from lsood_runtime._certificate.differences import ClassMapChanges, FlippedFrame, LargestDifference, ObjectChanges
from lsood_runtime._certificate.figures import PairedRatio, Percentiles

SCHEMA = 2
"""Rises with a field that goes, changes its meaning, or comes and has to be there; other new fields readers leave out."""


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


@dataclass(frozen=True, slots=True)
class CertifiedBundle:
    """The bundle: its name, the SHA-256 of its manifest in hex, its precision and its detector."""

    name: str
    manifest_sha256: str
    precision: str
    detector: str


@dataclass(frozen=True, slots=True)
class CertifiedProvider:
    """The provider that is certified.

    Attributes:
        name: full, as ONNX Runtime has it.
        options: as they were given.
        arithmetic: in what numbers it computes, as far as its options tell.
        threads: of the CPU provider within an operator; None for one a core.
        nodes: of both graphs by provider; empty where this ONNX Runtime does not tell.
        graphs: the same by file, provider and operator.
        every_node: whether no node runs elsewhere.
    """

    name: str
    options: dict[str, str]
    arithmetic: str
    threads: int | None
    nodes: dict[str, int]
    graphs: dict[str, dict[str, dict[str, int]]]
    every_node: bool


@dataclass(frozen=True, slots=True)
class GoldenError:
    """The largest error on the golden frames, None where one is no number, and how large it may be."""

    largest: float | None
    tolerance: float


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """The golden frames, replayed; ``pixel_changes`` and ``answers`` are None where the bundle keeps none."""

    passed: bool
    frames: int
    score: GoldenError
    pixel_changes: GoldenError | None
    answers: GoldenError | None


@dataclass(frozen=True, slots=True)
class ComparedFrames:
    """How many frames were compared, and the SHA-256 of their pixels in order, in hex."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """Frames in another state than on the CPU provider.

    Attributes:
        flipped: their number.
        share: of the compared frames.
        low: lower end of Clopper and Pearson's interval of the share.
        high: its upper end.
        at_most: one-sided bound: larger shares are excluded with the confidence.
        confidence: of interval and bound.
        frames: the first hundred.
    """

    flipped: int
    share: float
    low: float
    high: float
    at_most: float
    confidence: float
    frames: tuple[FlippedFrame, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of a verdict in milliseconds, taken in turns; those of the bare network are None where none was given."""

    rounds: int
    provider_ms: Percentiles
    cpu_ms: Percentiles
    network_ms: Percentiles | None
    provider_over_cpu: PairedRatio
    provider_over_network: PairedRatio | None


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Most host memory of the process, megabytes, with the provider's monitor alone and with both."""

    provider_mb: float
    both_mb: float


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of what computes."""

    lsood_runtime: str
    onnxruntime: str
    numpy: str
    python: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, cores that the process may use, system, and the devices that ONNX Runtime lists."""

    processor: str
    cores: int
    system: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a provider decides, computes and costs on frames of the user, beside the CPU provider of the same process.

    Attributes:
        passed: whether every check holds.
        failures: the checks that do not, a sentence each.
        limits: that were checked.
        bundle: that was run.
        provider: that ran it, and how many nodes of each graph run where.
        golden: largest errors on the golden frames.
        frames: that were compared.
        decisions: frames in another state.
        class_maps: pixels of another class; None where the bundle gives no class maps.
        objects: unknown objects that have no partner; None where the bundle tells no objects.
        differences: the largest difference of each number of the verdicts, by its name.
        changed_words: frames on which an answer in words or whole numbers is another one, by its name.
        latency: of a frame on the provider, on the CPU provider and of the bare network, with paired ratios.
        memory: of the process.
        versions: of what computed.
        machine: on which.
        made_at: UTC.
        schema: of this document.
    """

    passed: bool
    failures: tuple[str, ...]
    limits: Limits
    bundle: CertifiedBundle
    provider: CertifiedProvider
    golden: GoldenResult
    frames: ComparedFrames
    decisions: Decisions
    class_maps: ClassMapChanges | None
    objects: ObjectChanges | None
    differences: dict[str, LargestDifference]
    changed_words: dict[str, int]
    latency: Latency
    memory: PeakMemory
    versions: Versions
    machine: Machine
    made_at: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The certificate as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"
