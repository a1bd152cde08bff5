# SPDX-License-Identifier: Apache-2.0
"""Capability table: the forms in which a monitor ships, with the masks, precisions and detectors of each.

``check_combination`` refuses by it, ``--help`` and the documentation are written from it. A new format is one row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from export.calibration.answer_options import CAUSE, MAP, NOTHING, QUALITY, TILES
from export.calibration.options import detector_choices
from export.detectors.registry import FUSED, detector_names, detector_spec
from export.errors import UsageError
from export.layers.mask_mode import Mode
from export.precision.options import FLOAT32
from lsood_runtime.offline import PRECISIONS

Names = tuple[str, ...]


@dataclass(frozen=True)
class Support:
    """Values of an option that a format supports.

    Attributes:
        names: gives them; a function, since detectors can be registered.
        refusal: ends the message for every other value: why not, or what to do.
    """

    names: Callable[[], Names]
    refusal: str = "choose one of these"


@dataclass(frozen=True)
class Format:
    """One form that a monitor ships in.

    Attributes:
        name: of the format.
        flag: how to ask for it.
        files: of the bundle.
        runs_in: what runs these files.
        detectors: that it can hold, ``auto`` among them where the choice may fall on any of its candidates.
        precisions: of the network.
        masks: modes of the masks.
        answers: beside the score that it can give.
        renewed: whether ``calibrate`` makes it anew; else only an export can.
    """

    name: str
    flag: str
    files: Names
    runs_in: str
    detectors: Support
    precisions: Support
    masks: Support
    answers: Support
    renewed: bool


def _detectors_in_torch() -> Names:
    return (FUSED, *(name for name in detector_names() if detector_spec(name).torch_score is not None))


_EVERY_DETECTOR = Support(detector_choices)
_EVERY_PRECISION = Support(lambda: tuple(PRECISIONS))
_EVERY_MODE = Support(lambda: get_args(Mode))
_EVERY_ANSWER = Support(lambda: (QUALITY, CAUSE, TILES, MAP, NOTHING))

FORMATS = (
    Format(
        name="onnx",
        flag="--format onnx",
        files=("segmentation.onnx", "detector.onnx", "evaluation.onnx"),
        runs_in="`lsood_runtime`",
        detectors=_EVERY_DETECTOR,
        precisions=_EVERY_PRECISION,
        masks=_EVERY_MODE,
        answers=_EVERY_ANSWER,
        renewed=True,
    ),
    Format(
        name="fused",
        flag="--fuse",
        files=("monitor.onnx",),
        runs_in="ONNX Runtime in any language",
        detectors=_EVERY_DETECTOR,
        precisions=_EVERY_PRECISION,
        masks=_EVERY_MODE,
        answers=_EVERY_ANSWER,
        renewed=True,
    ),
    Format(
        name="torchscript",
        flag="--format torchscript",
        files=("monitor.pt",),
        runs_in="libtorch",
        detectors=Support(_detectors_in_torch, "choose one of the two"),
        precisions=Support(lambda: (FLOAT32,), "libtorch has its own quantisation; choose one of the two"),
        masks=Support(
            lambda: ("fixed", "input"),
            "a traced module that draws its own masks cannot be compared with PyTorch",
        ),
        answers=Support(lambda: (NOTHING,), "a TorchScript module has the score alone; leave --answers out"),
        renewed=False,
    ),
)
"""In the order in which help and documentation list them; the first is always written."""


def format_names() -> Names:
    """Values of ``--format``."""
    return tuple(row.name for row in FORMATS if row.flag == f"--format {row.name}")


def wanted_formats(name: str, fuse: bool) -> tuple[Format, ...]:
    """The rows that an export writes.

    Args:
        name: value of ``--format``.
        fuse: whether ``--fuse`` is given.

    Raises:
        UsageError: there is no such format.
    """
    if name not in format_names():
        raise UsageError(f"expected --format {_either(format_names())}, got {name}: choose one of these")
    wanted = {FORMATS[0].name, name, *(["fused"] if fuse else [])}
    return tuple(row for row in FORMATS if row.name in wanted)


def check_combination(row: Format, detector: str, precision: str, masks: str, answers: Sequence[str] = ()) -> None:
    """Refuse what a format cannot hold.

    Raises:
        UsageError: a detector, a precision, a mode of masks or an answer that does not go together with it.
    """
    for flag, value, support in (
        ("--detector", detector, row.detectors),
        ("--precision", precision, row.precisions),
        ("--masks", masks, row.masks),
        *(("--answers", answer, row.answers) for answer in answers),
    ):
        if value not in support.names():
            raise UsageError(
                f"expected {flag} {_either(support.names())} with {row.flag}, got {value}: {support.refusal}"
            )


def _either(names: Names) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def format_help() -> str:
    """Describe what each format adds, for the help of ``--format``."""
    added = (row for row in FORMATS[1:] if row.name in format_names())
    return "; ".join(
        f"{row.name}: {', '.join(row.files)} as well, for {row.runs_in}, with --detector {_either(row.detectors.names())}, "
        f"--precision {_either(row.precisions.names())}, --masks {_either(row.masks.names())} and --answers "
        f"{_either(row.answers.names())}"
        for row in added
    )


def capability_table() -> str:
    """Format the table in Markdown, for the documentation."""
    lines = [
        "| form | files | runs in | `--masks` | `--precision` | `--answers` | `--detector` | made anew by `calibrate` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in FORMATS:
        supports = (row.masks, row.precisions, row.answers, row.detectors)
        cells = [
            f"`{row.flag}`",
            _code(row.files),
            row.runs_in,
            *(_code(support.names()) for support in supports),
            "yes" if row.renewed else "no",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _code(names: Names) -> str:
    return ", ".join(f"`{name}`" for name in names)
