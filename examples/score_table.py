# SPDX-License-Identifier: Apache-2.0
"""Tables of every score that evaluations compared, best first, from what ``python -m export evaluate --json`` printed.

    python examples/score_table.py runs/idd.json --most 8 --kinds

`--kinds` adds two tables: the bundle's own score on every kind at every severity, and every kind by every score.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "| score | AUROC, all cells | AUROC, hurting frames | worst kind that hurts | caught at the target's false alarms |"
)


def figure(value: float | None) -> str:
    """Three digits; a dash for what is not known."""
    return "-" if value is None else f"{value:.3f}"


def score_lines(result: dict[str, Any], most: int | None = None) -> Iterator[str]:
    """Yield a Markdown line for each score of one evaluation, by their AUROC on hurting frames; the bundle's own first.

    Args:
        result: the JSON object.
        most: lines besides the bundle's own; None for all.

    Raises:
        SystemExit: an evaluation in which nothing is known to hurt.
    """
    if result["hurting"] is None:
        raise SystemExit(
            "expected an evaluation of shifts that hurt, got none: evaluate degraded frames with --synthetic"
        )
    own, *others = result["hurting"]["scores"]
    others.sort(key=lambda score: -(score["hurting_frames"] or 0.0))
    for score in (own, *others[:most]):
        name = f"**{score['name']}**" if score is own else score["name"]
        worst = (
            f"{score['worst_kind'].replace('_', ' ')} {figure(score['worst_auroc'])}" if score["worst_kind"] else "-"
        )
        figures = (figure(score[column]) for column in ("all_cells", "hurting_frames"))
        yield f"| {name} | {' | '.join(figures)} | {worst} | {figure(score['caught'])} |"


def by_severity(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of kinds and severities: the bundle's AUROC, bold where the cell hurts, and the mIoU.

    Real shifts, which have no severity, stand first with their one figure. Without labels the mIoU is a dash.
    """
    severities = sorted({shift["severity"] for shift in result["shifts"] if shift["kind"]})
    clean = figure(result["ind"]["mean_iou"])
    yield f"| severity | {' | '.join(map(str, severities))} | mIoU at each (clean: {clean}) |"
    yield f"|---|{'---|' * len(severities)}---|"
    kinds: dict[str, list[dict[str, Any]]] = {}
    for shift in sorted(result["shifts"], key=lambda shift: (shift["kind"] is not None, shift["severity"] or 0)):
        kinds.setdefault(shift["kind"] or shift["name"], []).append(shift)
    for kind, cells in kinds.items():
        figures = [figure(cell["figures"]["auroc"][0]) for cell in cells]
        marked = [f"**{value}**" if cell["hurts"] else value for value, cell in zip(figures, cells, strict=True)]
        marked += [""] * (len(severities) - len(marked))
        name = kind.replace("_", " ") if cells[0]["kind"] else f"{kind} (real)"
        yield f"| {name} | {' | '.join(marked)} | {', '.join(figure(cell['mean_iou']) for cell in cells)} |"


def by_kind(result: dict[str, Any], most: int | None = None) -> Iterator[str]:
    """Yield the lines of a table of scores and kinds: AUROC, a mean over the severities.

    Args:
        result: the JSON object.
        most: scores besides the bundle's own; None for all.
    """
    own, *others = result["hurting"]["scores"]
    others.sort(key=lambda score: -(score["hurting_frames"] or 0.0))
    yield f"| score | {' | '.join(kind.replace('_', ' ') for kind in own['kinds'])} |"
    yield f"|---|{'---|' * len(own['kinds'])}"
    for score in (own, *others[:most]):
        yield f"| {score['name']} | {' | '.join(figure(score['kinds'].get(kind)) for kind in own['kinds'])} |"


def summary(result: dict[str, Any]) -> str:
    """False alarms and misses at the shipped threshold, with their intervals, in a sentence."""
    rate, low, high = result["ind"]["false_alarm_rate"]
    drives = result["ind"]["drives"]
    mostly = sum(drive["flagged"] > drive["frames"] / 2 for drive in drives)
    split = result["hurting"] or {}
    frames = result["ind"]["frames"]
    text = f"At the shipped threshold {rate:.1%} ({low:.1%} to {high:.1%}) of {frames} frames are false alarms"
    text += f", {mostly} of {len(drives)} drives are flagged on more than half of their frames" if drives else ""
    for group, words in (("hurting_frames", "that hurt"), ("harmless_frames", "that do not")):
        if split.get(group):
            missed, least, most = split[group]["missed"]
            text += f"; of {split[group]['frames']} frames {words} {missed:.1%} ({least:.1%} to {most:.1%}) are missed"
    return text + "."


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a sentence for each evaluation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluations", nargs="+", type=Path, metavar="FILE", help="what evaluate --json printed")
    parser.add_argument("--most", type=int, metavar="N", help="scores besides the bundle's own (default: all)")
    parser.add_argument("--kinds", action="store_true", help="tables of every kind, by severity and by score")
    options = parser.parse_args(arguments)
    for path in options.evaluations:
        result = json.loads(path.read_text())
        print(f"\n{path.stem}\n\n{HEAD}\n|---|---|---|---|---|")
        print("\n".join(score_lines(result, options.most)))
        print(f"\n{summary(result)}")
        if options.kinds:
            print("", *by_severity(result), "", *by_kind(result, options.most), sep="\n")


if __name__ == "__main__":
    main()
