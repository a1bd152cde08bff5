# SPDX-License-Identifier: Apache-2.0
"""Check that a bundle can be written where the options of an export say."""

from export.bundle.writer import check_destination
from export.checkpoint.load import Checkpoint
from export.destination import check_place
from export.errors import UsageError
from export.findings import PLACEHOLDER
from export.pipeline.options import ExportOptions
from export.precision.options import FLOAT16, FLOAT32

_REMEDY = "choose another --out"


def check_out(options: ExportOptions) -> None:
    """Clear up what a killed export left at the destination, and refuse one that is taken.

    Raises:
        UsageError: the destination exists and is not to be replaced, or is no place for a bundle.
    """
    try:
        check_place(options.out, _REMEDY)
        check_destination(options.out, options.overwrite)
    except UsageError as error:
        raise UsageError(str(error), words=("--out", PLACEHOLDER)) from error


def check_room(options: ExportOptions, checkpoint: Checkpoint) -> None:
    """Refuse a destination without room for the network's weights.

    Raises:
        UsageError: the disk is too full, or nothing can be written there.
    """
    check_place(options.out, _REMEDY, size=_smallest_size(options, checkpoint))


def _smallest_size(options: ExportOptions, checkpoint: Checkpoint) -> int:
    """Bytes of the network's weights in the files of the bundle; what it holds besides is small beside them."""
    weights = sum(tensor.nbytes for tensor in checkpoint.network.state_dict().values())
    shares = {FLOAT32: 1.0, FLOAT16: 0.5}
    copies = shares.get(options.precision.kind, 0.25) + (options.format == "torchscript")
    return int(weights * copies)
