# SPDX-License-Identifier: Apache-2.0
"""Options of the network and of its masks, the same for an export and for a search before it."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from export.detectors.entropy_constants import DEFAULT_NEIGHBORS
from export.frames.reading_options import ReadingOptions
from export.graphs.output_forms import OutputForm
from export.graphs.segmentation_kinds import SEGMENTATION_KINDS
from export.option_table import INPUT_AND_OUTPUT, Words, flag
from export.pipeline.model_arguments import read_model_arguments, write_model_arguments

CHANNELS = ("rgb", "bgr")
NETWORK_CHANNELS = (*CHANNELS, "grey")
RESIZES = ("bilinear", "refuse")

MOST_SIDE = 32768
"""Rows or columns of the largest picture that is thought of."""

MOST_SAMPLES = 16384
"""Monte-Carlo samples of a frame, at most."""

NETWORK = "network (default: as the checkpoint says)"
_MASKS = "masks and entropy"


@dataclass(frozen=True)
class NetworkOptions:
    """Checkpoint, preprocessing, masks and entropy. None stands for what the checkpoint says.

    Each field's text is what ``--help`` says of its flag.
    """

    ckpt: Path | None = field(
        metadata=flag("PyTorch-Lightning checkpoint, or with --model a state dict", INPUT_AND_OUTPUT, metavar="FILE")
    )
    _: KW_ONLY
    model: str | None = field(
        default=None,
        metadata=flag(
            "the network's class, or a function that returns one, as package.module:Class, package.module.Class or "
            "path/to/file.py:Class; the working directory is searched too (default: the DeepLabV3PlusModule of this package)",
            NETWORK,
            metavar="MODULE:CLASS",
        ),
    )
    model_args: Mapping[str, object] = field(
        default_factory=dict,
        metadata=flag(
            "constructor argument, in YAML, in place of the checkpoint's hyper-parameter; an object is {class_path: "
            "module.Class, init_args: {...}}; may be repeated",
            NETWORK,
            name="--model-arg",
            metavar="KEY=VALUE",
            words=Words(read_model_arguments, write_model_arguments, mapping=True),
            adds_up=True,
        ),
    )
    key: str | None = field(
        default=None,
        metadata=flag(
            "name of the state dict in the checkpoint, dots leading into nested dicts, as ema.model (default: the one that "
            "has all weights of the network)",
            NETWORK,
            metavar="NAME",
        ),
    )
    prefix: str | None = field(
        default=None,
        metadata=flag(
            "prefix of the names to take from the checkpoint, as model. (default: the one that is followed by the names of "
            "all weights)",
            NETWORK,
            metavar="NAME",
        ),
    )
    trust_checkpoint: bool = field(
        default=False, metadata=flag("unpickle whatever --ckpt holds, which may run any code", NETWORK)
    )
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    input_size: tuple[int, int] | None = field(
        default=None,
        metadata=flag("rows and columns of the network's input", NETWORK, metavar=("H", "W"), least=1, most=MOST_SIDE),
    )
    crop: tuple[int, int, int, int] | None = field(
        default=None,
        metadata=flag(
            "the part of a frame that the network sees, in pixels, before the resize (default: all of it)",
            NETWORK,
            metavar=("TOP", "LEFT", "H", "W"),
            least=0,
            most=MOST_SIDE,
        ),
    )
    resize: str = field(
        default="bilinear",
        metadata=flag(
            "bilinear with antialiasing, in the graph; refuse: an error where sizes differ", NETWORK, choices=RESIZES
        ),
    )
    pad: int | None = field(
        default=None,
        metadata=flag(
            "after the resize, add rows at the bottom and columns at the right up to a multiple of N, of the mean; the "
            "segmentation is that of the frame alone (default: as an image processor's file beside the checkpoint pads, else "
            "none, as 1)",
            NETWORK,
            metavar="N",
            least=1,
            most=1024,
        ),
    )
    channels: str = field(
        default="rgb",
        metadata=flag("order in which the vehicle hands over a frame", NETWORK, choices=CHANNELS),
    )
    network_channels: str | None = field(
        default=None,
        metadata=flag(
            "order in which the network takes the channels: the one that it was trained on; grey for one that takes the "
            "brightness alone (default: what is found, else rgb)",
            NETWORK,
            choices=NETWORK_CHANNELS,
        ),
    )
    mean: tuple[float, float, float] | None = field(
        default=None,
        metadata=flag(
            "mean of the frames, in [0, 1], in the network's order of channels; for one channel the number three times",
            NETWORK,
            metavar=("R", "G", "B"),
        ),
    )
    std: tuple[float, float, float] | None = field(
        default=None, metadata=flag("standard deviation of the frames, likewise", NETWORK, metavar=("R", "G", "B"))
    )
    segmentation: str = field(
        default="classes",
        metadata=flag(
            "what the graph gives beside the score: the most likely class of each pixel, the same of a network with one "
            "channel for two classes, the network's logits, or nothing",
            NETWORK,
            choices=SEGMENTATION_KINDS,
        ),
    )
    method: str | None = field(
        default=None,
        metadata=flag(
            "method or part of the network that is called in place of its forward, as predict or net.model",
            NETWORK,
            metavar="NAME",
        ),
    )
    output: str | None = field(
        default=None,
        metadata=flag(
            "the tensor that is its segmentation where the network returns several, by names or indices: logits, 1, out.0 "
            "(default: out, logits, or the only (B, K, h, w) one)",
            NETWORK,
            metavar="NAME",
        ),
    )
    network_output: OutputForm | None = field(
        default=None,
        metadata=flag(
            "what the network returns for each class, of which logits are made (default: logits, refused where they look "
            "like probabilities)",
            NETWORK,
        ),
    )
    only_tap: bool = field(
        default=False,
        metadata=flag(
            "draw masks where the taps are read alone; dropouts upstream stay off, which makes a frame cheaper", _MASKS
        ),
    )
    neighbors: int = field(
        default=DEFAULT_NEIGHBORS,
        metadata=flag(
            "k of the entropy estimate, below the number of samples S", _MASKS, metavar="K", least=1, most=MOST_SAMPLES
        ),
    )
    drop_prob: float | None = field(default=None, metadata=flag("DropBlock's drop probability", _MASKS, metavar="P"))
    block_size: int | None = field(
        default=None,
        metadata=flag("DropBlock's block size, in cells of the tap", _MASKS, metavar="B", least=1, most=4096),
    )
    token_grid: tuple[int, int] | None = field(
        default=None,
        metadata=flag(
            "rows and columns of a tap's tokens, for DropBlock (default: found from the network and its input's size)",
            _MASKS,
            metavar=("H", "W"),
            least=1,
            most=4096,
        ),
    )
    force: bool = field(
        default=False,
        metadata=flag(
            "accept constants under which many masks drop nothing, and a mean or deviation far outside [0, 1]", _MASKS
        ),
    )
