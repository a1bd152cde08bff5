# SPDX-License-Identifier: Apache-2.0
"""A requirement of the catalogue, and how a claim is made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.evidence.claims import Claim, Criterion, EvidenceFigure, EvidenceTest, Side
from export.evidence.rules import judge, rule_words
from export.evidence.sources import EvidenceSources, UnmeasuredError
from export.evidence.team_file import TeamEntry

MeasureFigures = Callable[[EvidenceSources], Sequence[EvidenceFigure]]
"""Gives the figures of a requirement, or raises :class:`UnmeasuredError`."""


EVALUATE = "python -m export evaluate MONITOR/ --ind DRIVES/ --group-by folder --labels LABELS/ --report REPORT/"
CERTIFY = "lsood certify MONITOR/ --provider PROVIDER --frames FRAMES/ --network NETWORK.onnx --out CERTIFICATE.json"
EXPORT = "python -m export --ckpt CHECKPOINT --frames FRAMES/ --group-by folder --out MONITOR/"
ALARM = "alarm: {policy: 3of5, frames_per_second: 10} in a file of --requirements"


def no_limit(_: EvidenceSources) -> None:
    """The limit of a requirement for which neither bundle nor certificate declares one."""


def limit_of(value: float) -> Callable[[EvidenceSources], float]:
    """A limit that is the same for every bundle."""
    return lambda _: value


def always(_: EvidenceSources) -> bool:
    """Whether a requirement concerns a bundle, of those that concern every one."""
    return True


@dataclass(frozen=True)
class Requirement:
    """A row of the catalogue.

    Attributes:
        id: of the requirement.
        statement: what is required.
        topics: short names of topics of standards.
        remedy: command that measures it, or what a file of requirements needs; empty where tests alone support it: then these
            are run.
        measure: gives its figures; None where tests alone support it.
        declared: its limit where the team sets none.
        side: of the limit.
        criterion: how figures meet it where the team says nothing else.
        tests: of this project, by node id, that show it.
        concerns: whether it is asked of a bundle.
    """

    id: str
    statement: str
    topics: tuple[str, ...]
    remedy: str = ""
    measure: MeasureFigures | None = None
    declared: Callable[[EvidenceSources], float | None] = no_limit
    side: Side = "at most"
    criterion: Criterion = "estimate"
    tests: tuple[str, ...] = ()
    concerns: Callable[[EvidenceSources], bool] = always

    def claim(self, sources: EvidenceSources, entry: TeamEntry) -> Claim:
        """Judge it.

        Raises:
            UsageError: a document that was changed or damaged.
        """
        tests = [EvidenceTest(node_id, sources.results.outcome(node_id)) for node_id in self.tests]
        limit = self.declared(sources) if entry.limit is None else entry.limit
        criterion = entry.criterion or self.criterion
        figures: Sequence[EvidenceFigure] = ()
        unmeasured = ""
        if self.measure is not None:
            try:
                figures = self.measure(sources)
            except UnmeasuredError as error:
                unmeasured = str(error)
        remedy = self.remedy or _test_command(self.tests)
        if figures and limit is None:
            remedy = f"claims: {{{self.id}: {{limit: NUMBER}}}} in a file of --requirements"
        verdict, reason = judge(figures, tests, limit, self.side, criterion)
        if unmeasured and verdict != "not supported":
            verdict, reason = "not measured", unmeasured
        return Claim(
            self.id,
            "requirement",
            self.statement,
            self.topics,
            (*figures, *tests),
            own_id=entry.own_id,
            verdict=verdict,
            reason=reason,
            rule=rule_words(limit, self.side, criterion) if self.measure is not None and limit is not None else "",
            limit=limit if self.measure is not None else None,
            side=self.side,
            criterion=criterion,
            remedy=remedy if verdict == "not measured" else "",
            accepted=entry.accepted,
            note=entry.note,
        )


def _test_command(tests: Sequence[str]) -> str:
    return f"pytest {' '.join(tests)} --junitxml RESULTS.xml"
