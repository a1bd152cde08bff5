# SPDX-License-Identifier: Apache-2.0
"""What an evidence pack states: claims, each with its verdict and with the figures, tests and pages that it rests on."""

from dataclasses import dataclass
from typing import Literal

ClaimKind = Literal["requirement", "assumption", "limit", "hazard"]
"""``requirement`` of the monitor; ``assumption`` of use, which the integrator keeps; ``limit`` of what is claimed; ``hazard``
that the monitor cannot see."""

Verdict = Literal["supported", "not supported", "inconclusive", "not measured"]
"""Of a requirement. ``inconclusive``: the interval of a figure contains the limit, so that the frames tell neither. What
could be measured and was not is never called supported."""

Criterion = Literal["estimate", "interval", "bound"]
"""How a figure meets a limit: its value does, or all of its 95 % interval does. They differ where the interval contains the
limit: ``interval`` is inconclusive there, ``bound`` not supported."""

Side = Literal["at most", "at least"]

TestOutcome = Literal["passed", "failed", "not run"]

CRITERIA: dict[Criterion, str] = {
    "estimate": "the figure itself",
    "interval": "its whole 95 % interval; inconclusive where that contains the limit",
    "bound": "the farther end of its 95 % interval; not supported unless the frames show the limit",
}
"""What has to meet the limit, in words."""

Unit = Literal["share", "number", "ms", "s"]


@dataclass(frozen=True)
class EvidenceFigure:
    """A figure of a document in the pack.

    Attributes:
        name: what it is.
        file: of the pack that holds it.
        pointer: to it, or to what it was computed from, in that file (RFC 6901).
        value: None where the document says that it is not known.
        low: lower end of its 95 % interval; None without one.
        high: upper end.
        frames: that it was measured on; None where that is not stated, or means nothing.
        drives: that these are from; None likewise.
        unit: a share of 1, a plain number, milliseconds or seconds.
        judged: whether the verdict rests on it; other figures are there to be read.
    """

    name: str
    file: str
    pointer: str
    value: float | None
    low: float | None = None
    high: float | None = None
    frames: int | None = None
    drives: int | None = None
    unit: Unit = "share"
    judged: bool = True


@dataclass(frozen=True)
class EvidenceText:
    """A statement of a document in the pack, such as the camera's frame size."""

    name: str
    file: str
    pointer: str
    text: str


@dataclass(frozen=True)
class EvidenceTest:
    """A test of this project, by its node id without parameters, and how it ended where it was run."""

    node_id: str
    outcome: TestOutcome


@dataclass(frozen=True)
class EvidencePage:
    """A page of this project's documentation of this version, and a heading on it."""

    path: str
    heading: str


EvidenceItem = EvidenceFigure | EvidenceText | EvidenceTest | EvidencePage


@dataclass(frozen=True)
class Claim:
    """A row of the pack.

    Attributes:
        id: this project's identifier.
        own_id: the team's; empty without one.
        kind: of the claim.
        statement: what is claimed, assumed, limited or feared.
        topics: short names of topics of standards.
        verdict: of a requirement; None for the other kinds.
        reason: why the verdict is what it is, a sentence; empty for the other kinds.
        rule: how the verdict follows from the figures; empty without a limit.
        limit: that the figures have to meet; None without one.
        side: of the limit.
        criterion: how they meet it.
        evidence: that it rests on.
        remedy: command that would measure what was not; for the other kinds what the integrator does. Empty where nothing
            is to be done.
        accepted: why the team accepts a requirement that is not supported; empty where it does not.
        note: of the team.
    """

    id: str
    kind: ClaimKind
    statement: str
    topics: tuple[str, ...]
    evidence: tuple[EvidenceItem, ...]
    own_id: str = ""
    verdict: Verdict | None = None
    reason: str = ""
    rule: str = ""
    limit: float | None = None
    side: Side = "at most"
    criterion: Criterion = "estimate"
    remedy: str = ""
    accepted: str = ""
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether a requirement is neither supported nor accepted by the team."""
        return self.verdict not in (None, "supported") and not self.accepted
