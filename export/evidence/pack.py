# SPDX-License-Identifier: Apache-2.0
"""An evidence pack: its claims, and the copies that they point to; as JSON and as a table."""

import dataclasses
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from export.errors import RequirementError
from export.evidence.claims import Claim, EvidenceFigure, EvidenceItem, EvidencePage, EvidenceTest, Verdict
from export.evidence.pack_names import CERTIFICATE, FIGURES, INDEX, RESULTS
from export.evidence.source_commit import is_same_commit, source_commit
from export.evidence.sources import EvidenceSources
from export.evidence.topics import STANDARDS, TOPICS
from export.evidence.words import item_words
from lsood_runtime import Manifest, __version__
from lsood_runtime.offline import CsvTable, sha256_hex

PACK_SCHEMA = 1
"""Of evidence.json; it rises with a field that goes or changes its meaning."""

_COLUMNS = (
    "id",
    "own_id",
    "kind",
    "statement",
    "topics",
    "verdict",
    "reason",
    "side",
    "limit",
    "by",
    "evidence",
    "remedy",
    "accepted",
    "note",
)
_NAMED = 6


@dataclass(frozen=True, eq=False)
class EvidencePack:
    """Claims and what they rest on.

    Attributes:
        title: of the pack.
        created: date and time, ISO 8601.
        manifest: of the bundle.
        manifest_sha256: of its bytes, in hex.
        report_created: when the report was made; None without one.
        certificate_made_at: when the certificate was made; None without one.
        tests_version: of this project, that the results of tests are of; None without results, or where these do not say it.
        tests_commit: likewise.
        commit: of the tree that this program runs from; None where git tells none, as where it is installed.
        claims: requirements first, then assumptions, limits and hazards.
        copies: bytes of the documents that the claims point to, by their name in the pack.
    """

    title: str
    created: str
    manifest: Manifest
    manifest_sha256: str
    report_created: str | None
    certificate_made_at: str | None
    tests_version: str | None
    tests_commit: str | None
    commit: str | None
    claims: tuple[Claim, ...]
    copies: Mapping[str, bytes]

    @classmethod
    def of_claims(cls, sources: EvidenceSources, claims: tuple[Claim, ...], created: str) -> "EvidencePack":
        """Put the claims and the copies of their documents together."""
        made, certified = sources.at(FIGURES, "/created"), sources.at(CERTIFICATE, "/made_at")
        return cls(
            sources.team.title or f"{sources.manifest.name}: evidence for its out-of-distribution monitor",
            created,
            sources.manifest,
            sources.bundle.sealed.sha256,
            None if made is None else str(made),
            None if certified is None else str(certified),
            sources.results.version,
            sources.results.commit,
            source_commit(),
            claims,
            sources.copies,
        )

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How many requirements have each verdict."""
        counts = Counter(claim.verdict for claim in self.claims)
        return {verdict: counts[verdict] for verdict in get_args(Verdict)}

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of every copy in hex, by name."""
        return {name: sha256_hex(contents) for name, contents in self.copies.items()}

    @property
    def subtitle(self) -> str:
        """What the pack is of, and when it was made."""
        made = f"made {self.created} by lsood-export {__version__}"
        return f"bundle {self.manifest.name}, manifest {self.manifest_sha256}; {made}"

    @property
    def summary(self) -> list[str]:
        """The pack in sentences."""
        sentences = [f"Requirements: {', '.join(f'{count} {verdict}' for verdict, count in self.verdicts.items())}."]
        accepted = sum(bool(claim.accepted) and claim.verdict != "supported" for claim in self.claims)
        if accepted:
            sentences.append(f"Of those that are not supported the team accepts {accepted}.")
        inputs = {"report": FIGURES, "certificate of the target": CERTIFICATE, "results of tests": RESULTS}
        missing = [name for name, file in inputs.items() if file not in self.copies]
        if missing:
            sentences.append(f"Not given: {', '.join(missing)}; what they would tell is not measured.")
        if RESULTS in self.copies:
            sentences.append(self._tests_told())
        return sentences

    def _tests_told(self) -> str:
        """Which code the results of tests are of, and whether it is the one that wrote the pack."""
        if self.tests_version is None:
            return "The results of tests are not tied to a version: their file names none."
        told = f"The results of tests are of version {self.tests_version}, commit {self.tests_commit or 'unknown'}"
        if self.tests_commit is None:
            return f"{told}."
        if self.commit is None:
            return (
                f"{told}; git tells no commit of this program, as where it is installed: versions alone were compared."
            )
        if is_same_commit(self.tests_commit, self.commit):
            return f"{told}, as this program is."
        return (
            f"{told}, and this program is of commit {self.commit}: they may be of other code. "
            "Run the tests of one unchanged commit, and write the pack from it."
        )

    def check_supported(self, place: str = "") -> None:
        """Refuse a pack with a requirement that is neither supported nor accepted.

        Args:
            place: of the pack, for the message.

        Raises:
            RequirementError: there is one.
        """
        left = [claim for claim in self.claims if claim.is_open]
        if left:
            counts = Counter(claim.verdict for claim in left)
            told = " and ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict) if counts[verdict])
            names = ", ".join(claim.own_id or claim.id for claim in left[:_NAMED])
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            where = f"{place}/{INDEX}" if place else "the pack"
            raise RequirementError(
                f"expected every requirement to be supported or accepted, got {told} ({names}{more}): {where} says "
                "what is left to do"
            )

    def to_json(self) -> str:
        """Everything but the bytes of the copies, as indented JSON."""
        values = {
            "schema": PACK_SCHEMA,
            "title": self.title,
            "created": self.created,
            "made_by": {"lsood-export": __version__, "commit": self.commit},
            "bundle": {
                "name": self.manifest.name,
                "created": self.manifest.created,
                "manifest_sha256": self.manifest_sha256,
            },
            "report_created": self.report_created,
            "certificate_made_at": self.certificate_made_at,
            "tests_version": self.tests_version,
            "tests_commit": self.tests_commit,
            "standards": STANDARDS,
            "topics": {name: dataclasses.asdict(topic) for name, topic in TOPICS.items()},
            "verdicts": self.verdicts,
            "claims": [_claim_values(claim) for claim in self.claims],
            "files": {
                name: {"sha256": self.digests[name], "bytes": len(contents)} for name, contents in self.copies.items()
            },
        }
        return json.dumps(values, indent=1, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """A row a claim, for tools that manage requirements."""
        text = io.StringIO()
        table = CsvTable(text, _COLUMNS)
        for claim in self.claims:
            values = _claim_values(claim)
            table.write(
                values
                | {
                    "topics": "; ".join(str(TOPICS[topic]) for topic in claim.topics),
                    "evidence": "; ".join(map(item_words, claim.evidence)),
                }
            )
        return text.getvalue()


def _claim_values(claim: Claim) -> dict[str, object]:
    values = dataclasses.asdict(claim)
    by = values.pop("criterion")
    return values | {
        "side": claim.side if claim.limit is not None else None,
        "by": by if claim.limit is not None else None,
        "evidence": [{"type": _type(item), **dataclasses.asdict(item)} for item in claim.evidence],
    }


def _type(item: EvidenceItem) -> str:
    if isinstance(item, EvidenceFigure):
        return "figure"
    if isinstance(item, EvidenceTest):
        return "test"
    return "page" if isinstance(item, EvidencePage) else "text"
