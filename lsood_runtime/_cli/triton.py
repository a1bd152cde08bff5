# SPDX-License-Identifier: Apache-2.0
"""``lsood triton``: write a model repository of Triton Inference Server from a bundle."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lsood_runtime._bundle.digests import MANIFEST_FILE
from lsood_runtime._bundle.reader import Bundle, open_bundle
from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust, count_up_to
from lsood_runtime._cli.destinations import check_destinations, paths_read
from lsood_runtime._cli.terminal import tell
from lsood_runtime._cli.triton_config import DETECTOR, NETWORK, Serving, triton_configs
from lsood_runtime._exceptions import BundleError
from lsood_runtime._new_folder import check_room, new_folder
from lsood_runtime._text.counted import counted

VERSION = "1"
"""Folder of the only version of each model."""

MOST_MICROSECONDS = 10_000_000
MOST_FRAMES, MOST_INSTANCES = 1024, 64
_EPILOG = """\
OUT gets three models: NAME_network and NAME_detector, the two graphs of the bundle, and NAME, an ensemble that takes a frame
through both and gives segmentation, score, parts of the score and every answer. A client compares the score with the
parameter lsood_threshold of the ensemble's configuration; NaN counts as out of distribution. Other parameters are the limits
of novelty, tiles and objects. States, alarms, checks of frames and the replay of golden frames are not in a server: see the
page "Triton and DeepStream".

exit codes: 0 written, 2 bad usage, bundle or folder

examples:
  lsood triton monitor/ models/
  lsood triton monitor/ models/ --provider cuda --max-batch 8 --batch-delay-us 500
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "triton", run, "write a model repository for Triton Inference Server", _EPILOG)
    add_bundle(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="a new or an empty folder: the model repository")
    parser.add_argument("--name", type=model_name, default="lsood", help="of the ensemble (default: lsood)")
    parser.add_argument(
        "--provider", choices=("cpu", "cuda"), default="cpu", help="where the graphs run (default: cpu)"
    )
    parser.add_argument(
        "--max-batch",
        type=count_up_to(MOST_FRAMES),
        default=4,
        metavar="N",
        help=f"frames of a batch, at most, up to {MOST_FRAMES} (default: 4)",
    )
    parser.add_argument(
        "--batch-delay-us",
        type=microseconds,
        default=0,
        metavar="US",
        help="microseconds that a frame waits for others of its batch (default: 0)",
    )
    parser.add_argument(
        "--instances",
        type=count_up_to(MOST_INSTANCES),
        default=1,
        metavar="N",
        help=f"of each graph, at once, up to {MOST_INSTANCES} (default: 1)",
    )
    add_trust(parser)


def run(options: argparse.Namespace) -> int:
    """Verify the bundle, and write the repository whole or not at all."""
    check_destinations([], paths_read(options), [options.out])
    serving = Serving(options.name, options.provider, options.instances, options.max_batch, options.batch_delay_us)
    bundle = open_bundle(options.bundle, expected_sha256=options.expected_sha256, public_key=options.public_key)
    written = write_repository(bundle, options.out, serving)
    tell(f"wrote {', '.join(written.models)} into {options.out}, {counted(written.files, 'file')}")
    tell(f"next: tritonserver --model-repository={options.out}")
    return 0


@dataclass(frozen=True, slots=True)
class WrittenRepository:
    """A model repository that was written: the names of its models, the ensemble last, and the number of its files."""

    models: tuple[str, ...]
    files: int


def write_repository(bundle: Bundle, out: Path, serving: Serving) -> WrittenRepository:
    """Write the model repository of a bundle, whole or not at all.

    Args:
        bundle: verified.
        out: a new or an empty folder.
        serving: how the models are run.

    Raises:
        BundleError: the bundle draws fresh masks.
        MediaError: the folder cannot be written.
    """
    if bundle.manifest.masks.mode == "fresh":
        raise BundleError(
            "expected fixed masks or masks from noise, got a bundle whose masks are drawn anew in each run: one frame would "
            "get another score in each batch; export with --masks fixed"
        )
    configs = triton_configs(bundle.manifest, bundle.sealed.sha256, serving)
    files = _files(bundle, serving, configs)
    _write(out, files)
    return WrittenRepository(tuple(configs), len(files))


def _files(bundle: Bundle, serving: Serving, configs: Mapping[str, str]) -> dict[Path, bytes]:
    """Contents of every file of the repository, by its place in it."""
    files = {Path(name, "config.pbtxt"): text.encode() for name, text in configs.items()}
    for part, graph in ((NETWORK, bundle.segmentation), (DETECTOR, bundle.detector)):
        version = Path(serving.model(part), VERSION)
        files[version / "model.onnx"] = graph
        files |= {version / name: weights for name, weights in bundle.weights.items() if name.encode() in graph}
    # A version of an ensemble holds nothing that Triton reads; its folder must be there.
    files[Path(serving.name, VERSION, MANIFEST_FILE)] = bundle.sealed.contents
    return files


def _write(out: Path, files: Mapping[Path, bytes]) -> None:
    check_room(out, sum(map(len, files.values())))
    with new_folder(out) as whole:
        for place, contents in files.items():
            (whole / place).parent.mkdir(parents=True, exist_ok=True)
            (whole / place).write_bytes(contents)


def model_name(text: str) -> str:
    """Parse the name of a model, which is the name of a folder as well."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"expected letters, digits, _, . and - after a letter or digit, got {text!r}")
    return text


def microseconds(text: str) -> int:
    """Parse microseconds from 0 to 10 s."""
    if not text.isdecimal() or int(text) > MOST_MICROSECONDS:
        raise argparse.ArgumentTypeError(f"expected microseconds from 0 to {MOST_MICROSECONDS}, got {text!r}")
    return int(text)
