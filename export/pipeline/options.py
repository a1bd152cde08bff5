# SPDX-License-Identifier: Apache-2.0
"""Options of an export."""

from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path

from export.calibration.answer_options import GROUP, AnswerOptions
from export.calibration.options import CalibrationOptions
from export.layers.mask_mode import Mode
from export.option_table import INPUT_AND_OUTPUT, MOST_SEED, flag
from export.pipeline.capabilities import format_help, format_names
from export.pipeline.network_options import MOST_SAMPLES, NetworkOptions
from export.precision.options import PrecisionOptions

_SAMPLING = "sampling"
TAP = flag(
    "layers to sample, concatenated; may be repeated (default: the one DropBlock layer, else the end of the lowest "
    "resolution, told with its reason)",
    _SAMPLING,
    metavar="NAME",
    adds_up=True,
)
FEATURE_LAYERS = flag(
    "layers beside the tap whose channels' means and deviations are features; may be repeated (default: the last one of each "
    "resolution on the way down; --list-layers shows them)",
    _SAMPLING,
    metavar="NAME",
    adds_up=True,
)
_MOST_TILES = 16
"""Rows and columns of tiles, at most, that the runtime takes."""

_FORMS = "more forms of the monitor, in the same folder"


@dataclass(frozen=True)
class ExportOptions(NetworkOptions):
    """Options of an export; each field's text is what ``--help`` says of its flag."""

    frames: tuple[Path, ...] = field(
        metadata=flag(
            "in-distribution frames: folders or image files, in the order of recording",
            INPUT_AND_OUTPUT,
            metavar="PATH",
        )
    )
    out: Path = field(metadata=flag("the bundle's folder", INPUT_AND_OUTPUT, metavar="DIR"))
    _: KW_ONLY
    license: str | None = field(
        default=None,
        metadata=flag(
            "of the network's weights, as the Hugging Face hub names it, such as apache-2.0: it stands in the model card",
            INPUT_AND_OUTPUT,
            metavar="ID",
        ),
    )
    overwrite: bool = field(
        default=False,
        metadata=flag("replace the bundle at --out once the new one is complete", INPUT_AND_OUTPUT),
    )
    tap: tuple[str, ...] = field(default=(), metadata=TAP)
    feature_layers: tuple[str, ...] = field(default=(), metadata=FEATURE_LAYERS)
    mc_samples: int = field(
        default=16,
        metadata=flag("Monte-Carlo samples for each frame", _SAMPLING, metavar="S", least=1, most=MOST_SAMPLES),
    )
    masks: Mode = field(
        default="fixed",
        metadata=flag(
            "fixed: drawn now, the same for every frame; fresh: drawn for each frame in the graph; input: computed from "
            "noise that is an input of the graph",
            _SAMPLING,
        ),
    )
    seed: int = field(default=0, metadata=flag("seed of the masks and the PCA", _SAMPLING, least=0, most=MOST_SEED))
    calibration: CalibrationOptions = field(default_factory=CalibrationOptions)
    answers: AnswerOptions = field(default_factory=AnswerOptions)
    tile_grid: tuple[int, int] = field(
        default=(4, 8),
        metadata=flag(
            "rows and columns of tiles for --answers tiles; fewer where the maps of the layers are smaller",
            GROUP,
            metavar=("ROWS", "COLUMNS"),
            least=1,
            most=_MOST_TILES,
        ),
    )
    fuse: bool = field(
        default=False,
        metadata=flag(
            "monitor.onnx: frame to score and segmentation in one graph, for ONNX Runtime in any language", _FORMS
        ),
    )
    format: str = field(
        default="onnx",
        metadata=flag(format_help, _FORMS, choices=format_names),
    )
    precision: PrecisionOptions = field(default_factory=PrecisionOptions)

    def asdict(self) -> dict[str, object]:
        """JSON-ready form for the manifest."""
        values = asdict(self)
        paths = {
            "ckpt": None if self.ckpt is None else str(self.ckpt),
            "out": str(self.out),
            "frames": [str(path) for path in self.frames],
        }
        return values | paths | {"calibration": self.calibration.asdict(), "answers": self.answers.asdict()}
