# SPDX-License-Identifier: Apache-2.0
"""Judge every claim of the catalogue that concerns a bundle, and those of the team."""

import difflib

from export.errors import UsageError
from export.evidence.assumptions import ASSUMPTIONS
from export.evidence.claims import Claim, EvidenceFigure, Verdict
from export.evidence.hazards import HAZARDS
from export.evidence.limits import LIMITS
from export.evidence.pack_names import CERTIFICATE, FIGURES
from export.evidence.requirement import CERTIFY, EVALUATE, EXPORT
from export.evidence.requirements import REQUIREMENTS, requirements
from export.evidence.rules import judge, rule_words
from export.evidence.sources import EvidenceSources
from export.evidence.team_file import TeamEntry, TeamRequirement

STATEMENTS = (*ASSUMPTIONS, *LIMITS, *HAZARDS)
"""Everything of the catalogue that has no verdict."""


def judge_claims(sources: EvidenceSources) -> list[Claim]:
    """Judge requirements, then collect assumptions, limits and hazards.

    Raises:
        UsageError: the team names a claim that there is not, or a document was changed or damaged.
    """
    known = [row.id for row in (*REQUIREMENTS, *STATEMENTS)]
    for name in sources.team.claims:
        if name not in known and not name.startswith("R-DET-"):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "requirements of your own stand under own"
            raise UsageError(f"expected claims of the catalogue in the file of requirements, got {name!r:.60}: {hint}")
    taken = next((own.id for own in sources.team.own if own.id in known), None)
    if taken is not None:
        raise UsageError(
            f"expected identifiers of your own under own, got {taken}, which the catalogue has: take another"
        )
    _check_no_limit_of_statements(sources)
    entries = sources.team.claims
    rows = [row for row in STATEMENTS if row.concerns(sources) or row.id in entries]
    return [
        *(row.claim(sources, entries.get(row.id, TeamEntry())) for row in requirements(sources)),
        *(_own_claim(sources, own) for own in sources.team.own),
        *(row.claim(sources, entries.get(row.id, TeamEntry())) for row in rows),
    ]


def _check_no_limit_of_statements(sources: EvidenceSources) -> None:
    without = {row.id for row in STATEMENTS} | {row.id for row in REQUIREMENTS if row.measure is None}
    for name, entry in sources.team.claims.items():
        if name in without and (entry.limit is not None or entry.criterion is not None):
            raise UsageError(
                f"expected id, note or accepted for {name}, got limit or by: it has no figure, leave them out"
            )
        if entry.accepted and name in {row.id for row in STATEMENTS}:
            raise UsageError(
                f"expected id or note for {name}, got accepted: it has no verdict, put the words under note"
            )


def _own_claim(sources: EvidenceSources, own: TeamRequirement) -> Claim:
    try:
        figure = sources.figure("figure", own.file, own.pointer, unit="number")
    except UsageError as error:
        raise UsageError(
            f"expected a figure for {own.id}, {own.file}#{own.pointer} holds something else: name a number, or a number with "
            "the ends of its interval"
        ) from error
    figures: list[EvidenceFigure] = [] if figure is None else [figure]
    verdict: Verdict = "not measured"
    reason = f"No document of the pack has {own.pointer} of {own.file}."
    if figures:
        verdict, reason = judge(figures, (), own.limit, own.side, own.criterion)
    return Claim(
        own.id,
        "requirement",
        own.statement,
        own.topics,
        tuple(figures),
        own_id=own.id,
        verdict=verdict,
        reason=reason,
        rule=rule_words(own.limit, own.side, own.criterion),
        limit=own.limit,
        side=own.side,
        criterion=own.criterion,
        remedy={FIGURES: EVALUATE, CERTIFICATE: CERTIFY}.get(own.file, EXPORT) if verdict == "not measured" else "",
        accepted=own.accepted,
        note=own.note,
    )
