# SPDX-License-Identifier: Apache-2.0
"""The section of a report about unknown objects: figures by masks, and frames with their maps."""

from html import escape

from export.evaluation.interval import Interval
from export.evaluation.mask_intervals import COMPONENT_FIGURES
from export.evaluation.object_summary import object_sentences
from export.evaluation.report_pictures import data_url
from export.evaluation.report_tables import table
from export.evaluation.result import Evaluation
from export.evaluation.shown_masks import GROUPS, ShownMask

TITLE = "Where is the unknown"

_CAPTION = (
    "Maps and objects by masks. Chance: average precision of a map that tells nothing. Found: objects of which a part was "
    "found. False: found objects that no unknown pixel is part of. sIoU, PPV and mean F1 are by component (arXiv 2104.14812) "
    "at the bundle's own limit, not at the best one for these frames. In brackets: 95 % intervals by drives, where there are "
    "enough of them."
)
_LEGEND = (
    "Left the frame, unknown pixels outlined in green and void ones grey; right its map, yellow from half of the limit, "
    "orange at the limit and purple at twice it, with a box around each object that the bundle tells."
)
_WIDTH = 480
_HEADER = (
    "set",
    "frames",
    "AP",
    "chance",
    "false at 95 %",
    "AUROC",
    "objects",
    "found",
    "false",
    "sIoU",
    "PPV",
    "mean F1",
)


def mask_section(result: Evaluation) -> str:
    """Render the section; empty where the bundle tells no objects."""
    sentences = object_sentences(result)
    if not sentences:
        return ""
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    figures = table(_HEADER, _rows(result), _CAPTION) if result.masks else ""
    galleries = "".join(_gallery(group, result) for group in GROUPS)
    legend = f"<p>{_LEGEND}</p>" if galleries else ""
    return f"<section><h2>{TITLE}</h2>{words}{figures}{legend}{galleries}</section>"


def _rows(result: Evaluation) -> list[list[str]]:
    return [
        [
            figures.set_name,
            str(len(figures.frames)),
            _shown(figures.figure("average_precision")),
            "-" if figures.pixels is None else f"{figures.pixels.unknown_share:.3f}",
            _shown(figures.figure("fpr95")),
            _shown(figures.figure("auroc")),
            *map(str, (figures.objects, figures.caught, figures.false_objects)),
            *(_shown(figures.figure(name)) for name in COMPONENT_FIGURES),
        ]
        for figures in result.masks
    ]


def _shown(figure: Interval | None) -> str:
    return "-" if figure is None else figure.text(".3f", ".2f")


def _gallery(group: str, result: Evaluation) -> str:
    shown = [frame for frame in result.shown_masks if frame.group == group]
    if not shown:
        return ""
    frames = "".join(map(_frame, shown))
    return f'<h3>{escape(group[0].upper() + group[1:])}</h3><ul class="gallery maps">{frames}</ul>'


def _frame(frame: ShownMask) -> str:
    name = escape(f"{frame.set_name}: {frame.frame_name}")
    figures = f"{frame.caught} of {frame.objects} objects found, {frame.false_objects} false"
    precision = "" if frame.average_precision is None else f", AP {frame.average_precision:.3f}"
    return (
        f'<li><img alt="{name} with its mask" src="{data_url(frame.image, _WIDTH)}">'
        f'<img alt="map of {name}" src="{data_url(frame.mapped, _WIDTH)}"><p>{name}<br>{figures}{precision}</p></li>'
    )
