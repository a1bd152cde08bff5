# SPDX-License-Identifier: Apache-2.0
"""The page of an evidence pack: one HTML file that opens offline and links to the copies beside it alone."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from export.evaluation.page_text import words_with_flags
from export.evaluation.report_page import page_style
from export.evidence.claims import Claim, ClaimKind, EvidenceFigure, EvidenceItem, EvidencePage, EvidenceTest
from export.evidence.pack import EvidencePack
from export.evidence.topics import STANDARDS, TOPICS
from export.evidence.words import figure_words

_PAGE = Path(__file__).parent / "page.html"
_DOES: Mapping[ClaimKind, str] = {
    "requirement": "To measure it",
    "assumption": "Integrator",
    "limit": "Integrator",
    "hazard": "Integrator",
}


def render_pack(pack: EvidencePack) -> str:
    """Render the page; every text is escaped."""
    anchors = {id(claim): f"claim-{number}" for number, claim in enumerate(pack.claims, 1)}

    def blocks(kind: ClaimKind) -> str:
        return "".join(_claim(claim, anchors[id(claim)]) for claim in pack.claims if claim.kind == kind)

    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        style=page_style(),
        title=escape(pack.title),
        subtitle=escape(pack.subtitle),
        summary="".join(f"<p>{escape(sentence)}</p>" for sentence in pack.summary) + _open(pack, anchors),
        standards=_standards(pack.claims, anchors),
        requirements=blocks("requirement"),
        assumptions=blocks("assumption"),
        limits=blocks("limit"),
        hazards=blocks("hazard"),
        files=_files(pack),
    )


def _open(pack: EvidencePack, anchors: Mapping[int, str]) -> str:
    links = ", ".join(_link(claim, anchors) for claim in pack.claims if claim.is_open)
    return f"<p>Open: {links}.</p>" if links else "<p>No requirement is open.</p>"


def _link(claim: Claim, anchors: Mapping[int, str]) -> str:
    return f'<a class="{_mark_class(claim)}" href="#{anchors[id(claim)]}">{escape(claim.own_id or claim.id)}</a>'


def _mark_class(claim: Claim) -> str:
    return (claim.verdict or "").replace(" ", "-")


def _standards(claims: Sequence[Claim], anchors: Mapping[int, str]) -> str:
    parts = []
    for standard, about in STANDARDS.items():
        rows = []
        for name, topic in TOPICS.items():
            links = ", ".join(_link(claim, anchors) for claim in claims if name in claim.topics)
            if topic.standard == standard and links:
                clause = f"clause {topic.clause}: " if topic.clause else ""
                rows.append(f'<tr><th scope="row">{escape(clause + topic.name)}</th><td>{links}</td></tr>')
        caption = f"<caption><span>{escape(f'{standard}, {about}')}</span></caption>"
        head = '<thead><tr><th scope="col">topic</th><th scope="col">claims</th></tr></thead>'
        parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(standard)}"><table>{caption}{head}'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )
    return "".join(parts)


def _claim(claim: Claim, anchor: str) -> str:
    mark = ""
    if claim.verdict is not None:
        accepted = ", accepted" if claim.accepted else ""
        mark = f' <span class="mark {_mark_class(claim)}">{escape(claim.verdict + accepted)}</span>'
    name = f"{claim.own_id} ({claim.id})" if claim.own_id and claim.own_id != claim.id else claim.id
    facts = {
        "Verdict": claim.reason,
        "Rule": claim.rule and f"{claim.rule}.",
        "Accepted": claim.accepted,
        _DOES[claim.kind]: claim.remedy,
        "Note": claim.note,
    }
    lines = "".join(
        f'<p><span class="soft">{label}:</span> {_words(label, text)}</p>' for label, text in facts.items() if text
    )
    evidence = "".join(f"<li>{_item(item)}</li>" for item in claim.evidence)
    topics = ". ".join(str(TOPICS[topic]) for topic in claim.topics)
    served = f'<p class="soft">{escape(topics)}.</p>' if topics else ""
    shown = f"<ul>{evidence}</ul>" if evidence else ""
    return (
        f'<div class="claim" id="{anchor}"><h3>{escape(name)}{mark}</h3><p>{escape(claim.statement)}</p>{lines}'
        f"{shown}{served}</div>"
    )


def _words(label: str, text: str) -> str:
    words = words_with_flags(text)
    return f"<code>{words}</code>" if label == "To measure it" else words


def _item(item: EvidenceItem) -> str:
    if isinstance(item, EvidenceTest):
        colour = {"passed": "supported", "failed": "not-supported", "not run": "not-measured"}[item.outcome]
        return f'test <code>{escape(item.node_id)}</code>: <span class="{colour}">{item.outcome}</span>'
    if isinstance(item, EvidencePage):
        return f"documentation of this version, <code>{escape(item.path)}</code>, {escape(item.heading)}"
    words = figure_words(item) if isinstance(item, EvidenceFigure) else f"{item.name}: {item.text}"
    place = f'<a href="{escape(item.file)}">{escape(item.file)}</a> <code>{escape(item.pointer)}</code>'
    return f"{escape(words)}; {place}"


def _files(pack: EvidencePack) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="{escape(name)}">{escape(name)}</a></th><td>{len(contents):,}</td>'
        f"<td><code>{pack.digests[name]}</code></td></tr>"
        for name, contents in pack.copies.items()
    )
    head = '<thead><tr><th scope="col">file</th><th scope="col">bytes</th><th scope="col">SHA-256</th></tr></thead>'
    scroll = '<div class="scroll" tabindex="0" role="region" aria-label="Files">'
    return f"{scroll}<table>{head}<tbody>{rows}</tbody></table></div>"
