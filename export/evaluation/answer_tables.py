# SPDX-License-Identifier: Apache-2.0
"""Tables of a bundle's answers as HTML."""

import math

from export.bundle.evaluated_sentences import shown_kind
from export.evaluation.answer_figures import AnsweredGroup, AnswerFigures
from export.evaluation.interval import Interval
from export.evaluation.report_summary import interval_basis
from export.evaluation.report_tables import table
from export.evaluation.result import Evaluation
from lsood_runtime.offline import measure_name


def answer_quality_table(result: Evaluation, figures: AnswerFigures) -> str:
    """Figures of the expected quality; empty where there are none."""
    record = figures.record.quality
    if record is None or not figures.quality:
        return ""
    header = ["", "frames", "unknown", "mean absolute error", "error of a constant", "Spearman with the truth"]
    header += [f"interval holds the truth (promised {record.coverage:.0%})", "median width"]
    header += ["unknown frames that are no better than said", "AURC, lower end", "AURC, score", "AURC, oracle"]
    rows = []
    for name, group in figures.quality.items():
        lower, score = group.rankings
        rows.append(
            [
                name,
                str(group.frames),
                str(group.unknown),
                group.error.text(".3f", ".3f"),
                f"{group.constant_error:.3f}",
                "-" if math.isnan(group.spearman.value) else group.spearman.text("+.2f", "+.2f"),
                _share(group.covered),
                f"{group.median_width:.3f}",
                _plain(group.most_held),
                lower.aurc.text(".4f", ".3f"),
                score.aurc.text(".4f", ".3f"),
                f"{lower.oracle_aurc:.4f}",
            ]
        )
    itself = " The agreement of frames in distribution, with themselves, is 1." if record.measure == "agreement" else ""
    caption = (
        f"{_capital(measure_name(record.measure))} against the truth.{itself} Kinds of the fit include frames in "
        "distribution, and no real shifts. Errors, coverage and width are of frames whose quality is told; a constant is the "
        f"median of their truth; AURC accepts the others last. {interval_basis(result)}"
    )
    return table(header, rows, caption)


def answer_cause_table(result: Evaluation, figures: AnswerFigures) -> str:
    """Figures of causes and severities; empty where the bundle does not tell them."""
    causes = figures.causes
    if causes is None:
        return ""
    promised = figures.record.cause.coverage if figures.record.cause is not None else 0.0
    rows = [["in distribution, called none", _share(causes.clean_kept)]]
    rows += [
        [f"kinds of the fit, severity {level}, called by their kind", _share(v)] for level, v in causes.right.items()
    ]
    rows += [[f"{name}, a kind of your own, called by it", _share(v)] for name, v in causes.right_own.items()]
    rows += [
        [
            f"in distribution and kinds of the fit, set of causes holds the right one (made for {promised:.0%})",
            _share(causes.sets_hold),
        ],
        ["the same frames, mean absolute error of the severity", _number(causes.severity_error)],
    ]
    if causes.others:
        rows += [
            ["kinds not in the fit, called unknown", _share(causes.others_unknown)],
            ["kinds not in the fit, called none", _share(causes.others_none)],
            [
                "kinds not in the fit, called another kind with a probability of 0.9 or more",
                _share(causes.others_confident),
            ],
            ["kinds not in the fit, mean absolute error of the severity", _number(causes.others_severity_error)],
        ]
    caption = (
        "Causes. Where the cause is unknown it is not right and its set holds nothing; errors of the severity are of the "
        "other frames. Real shifts that are no kind of the fit have no known cause, and count in none of these. "
        f"{interval_basis(result)}"
    )
    return table(["", "share or error"], rows, caption)


def answer_group_tables(figures: AnswerFigures) -> str:
    """Answers by kind and by set."""
    by_kind = [[shown_kind(group.name), *_group(group, figures)] for group in figures.by_kind]
    by_set = [[group.name, *_group(group, figures)] for group in figures.by_set]
    header = ["", "frames", "in the fit"]
    header += (
        ["quality unknown", "mean expected", "mean true", "interval holds the truth"] if figures.record.quality else []
    )
    header += ["cause unknown"] if figures.record.cause else []
    header += ["tiles unknown", "with an abnormal tile", "share of their tiles"] if figures.record.tiles else []
    means = " Means are of the frames whose expected and true quality are both known." if figures.record.quality else ""
    return table(header, by_kind, f"Answers by kind.{means}") + table(header, by_set, f"Answers by set.{means}")


def _group(group: AnsweredGroup, figures: AnswerFigures) -> list[str]:
    quality = [
        _plain(group.unknown_quality),
        "-" if group.expected is None else f"{group.expected:.3f}",
        "-" if group.truth is None else f"{group.truth:.3f}",
        _share(group.covered),
    ]
    cause = [_plain(group.unknown_cause)]
    tiles = [_plain(group.unknown_tiles), _share(group.abnormal), _plain(group.tile_share)]
    return [
        str(group.frames),
        "yes" if group.in_fit else "no",
        *(quality if figures.record.quality else []),
        *(cause if figures.record.cause else []),
        *(tiles if figures.record.tiles else []),
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _share(figure: Interval | None) -> str:
    return "-" if figure is None else figure.text(".1%", ".0%")


def _number(figure: Interval | None) -> str:
    return "-" if figure is None else figure.text(".2f", ".2f")


def _plain(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
