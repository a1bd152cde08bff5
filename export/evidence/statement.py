# SPDX-License-Identifier: Apache-2.0
"""An assumption of use, a limit or a hazard of the catalogue, and how a claim is made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from export.evidence.claims import Claim, ClaimKind, EvidenceFigure, EvidencePage, EvidenceTest, EvidenceText
from export.evidence.requirement import always
from export.evidence.sources import EvidenceSources
from export.evidence.team_file import TeamEntry

Shown = Callable[[EvidenceSources], Sequence[EvidenceFigure | EvidenceText]]
"""Gives figures and texts of the documents in the pack; none where they have none."""


def nothing(_: EvidenceSources) -> Sequence[EvidenceFigure | EvidenceText]:
    """What a statement shows that rests on tests and pages alone."""
    return ()


def at(name: str, file: str, place: str) -> Shown:
    """Show the figure at a pointer, where there is one."""

    def shown(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
        figure = sources.figure(name, file, place, judged=False, unit="number")
        return [] if figure is None else [figure]

    return shown


def share_at(name: str, file: str, place: str, frames: str | None = None) -> Shown:
    """Show the share at a pointer, where there is one; ``frames`` points to how many frames it is of."""

    def shown(sources: EvidenceSources) -> Sequence[EvidenceFigure]:
        count = None if frames is None else sources.count(file, frames)
        figure = sources.figure(name, file, place, frames=count, judged=False)
        return [] if figure is None else [figure]

    return shown


def text_at(name: str, file: str, place: str, words: Callable[[EvidenceSources], str]) -> Shown:
    """Show words about what is at a pointer; nothing where they are empty."""

    def shown(sources: EvidenceSources) -> Sequence[EvidenceText]:
        text = words(sources)
        return [EvidenceText(name, file, place, text)] if text else []

    return shown


@dataclass(frozen=True)
class Statement:
    """A row of the catalogue that has no verdict.

    Attributes:
        id: of the statement.
        kind: an assumption, a limit or a hazard.
        statement: what is assumed, limited or feared.
        topics: short names of topics of standards.
        integrator: what whoever builds the monitor in does about it.
        shown: what the documents in the pack show of it.
        tests: of this project, by node id, that show it.
        pages: of the documentation, as ``path#heading``.
        concerns: whether it concerns a bundle.
    """

    id: str
    kind: ClaimKind
    statement: str
    topics: tuple[str, ...]
    integrator: str
    shown: tuple[Shown, ...] = ()
    tests: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    concerns: Callable[[EvidenceSources], bool] = always

    def claim(self, sources: EvidenceSources, entry: TeamEntry) -> Claim:
        """Collect its evidence.

        Raises:
            UsageError: a document that was changed or damaged.
        """
        figures = [figure for shown in self.shown for figure in shown(sources)]
        judged = [replace(each, judged=False) if isinstance(each, EvidenceFigure) else each for each in figures]
        tests = [EvidenceTest(node_id, sources.results.outcome(node_id)) for node_id in self.tests]
        pages = [EvidencePage(*page.split("#", 1)) for page in self.pages]
        return Claim(
            self.id,
            self.kind,
            self.statement,
            self.topics,
            (*judged, *tests, *pages),
            own_id=entry.own_id,
            remedy=self.integrator,
            note=entry.note,
        )
