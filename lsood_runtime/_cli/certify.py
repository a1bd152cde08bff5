# SPDX-License-Identifier: Apache-2.0
"""``lsood certify``: what a provider decides, computes and costs beside the CPU provider, as a JSON certificate."""

import argparse
from pathlib import Path

from lsood_runtime._certificate.certificate import DEFAULT_LIMITS, Certificate, Limits
from lsood_runtime._certificate.certify import CertifyOptions, certify
from lsood_runtime._certificate.figures import MOST_ROUNDS
from lsood_runtime._certificate.read_certificate import read_certificate
from lsood_runtime._cli.arguments import (
    BUNDLE_HELP,
    SOURCES,
    Commands,
    add_command,
    add_pixels,
    add_trust,
    count_up_to,
    stated_rules,
)
from lsood_runtime._cli.certificate_text import certificate_text, comparison_text, worse_figures
from lsood_runtime._cli.destinations import check_destinations, paths_read
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.frame_reading import FrameReading
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.provider_flags import add_providers, register_libraries
from lsood_runtime._cli.run_end import exit_code, report_failures, report_notes
from lsood_runtime._cli.terminal import write_out
from lsood_runtime._exceptions import MediaError
from lsood_runtime._inference.providers import resolve_providers
from lsood_runtime._media.sources import find_sources
from lsood_runtime._partial_file import whole_file

_OF_COMPARE = {"compare", "command", "command_parser", "run", "stated"}
_EPILOG = """\
Both the provider and ONNX Runtime's CPU provider take the same frames through the same bundle in one process. The certificate
holds: whether the golden frames get their scores back; how many nodes of each graph run where; on how many of your frames the
state is another one than on the CPU (with a 95 % interval, as if frames were independent); the share of pixels of another
class; objects without a partner; the largest difference of the score, its parts and every answer; latencies, taken in turns,
as percentiles and as the median of the paired ratio; peak memory; versions and machine. --network adds the network without a
monitor to the turns.

It passes where the golden frames do, no more frames and pixels change than the limits allow, and no number is known on one
provider alone. It says how large a share of flips so few frames exclude: 300 without one exclude more than 1 %.
--compare A B prints two certificates side by side, of whatever bundles, and fails where the second is worse: it fails a check
and the first passes, a larger share of frames is flipped, or of pixels by more than the first one's limit, or it has no class
maps and the first has. Placement and latencies are shown and never judged; --require-provider refuses a provider that leaves
nodes to the CPU.

exit codes: 0 passed, or no worse; 1 a check fails, or worse; 2 bad usage, input or bundle, or the provider does not run;
3 unexpected error

examples:
  lsood certify monitor/ --provider openvino --frames drive/ --out openvino.json
  lsood certify monitor/ --provider cuda:use_tf32=0 --frames drive/ --network network.onnx --rounds 300
  lsood certify monitor/ --provider tensorrt --provider cuda --frames drive/ --max-flips 0.01
  lsood certify --compare cpu.json openvino.json
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "certify", run, "compare a provider with the CPU on your frames", _EPILOG)
    parser.add_argument("bundle", metavar="BUNDLE", nargs="?", help=BUNDLE_HELP)
    parser.add_argument("--frames", nargs="+", default=[], metavar="FILE", help=f"to compare on: {SOURCES}")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the certificate, whole or not at all")
    parser.add_argument("--json", action="store_true", help="print the certificate in place of the table")
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A.json", "B.json"),
        help="print two certificates side by side, and fail where B is worse; takes no bundle",
    )
    parser.add_argument(
        "--max-flips",
        type=_share,
        default=DEFAULT_LIMITS.flips,
        metavar="X",
        help="largest share of frames in another state than on the CPU (default: 0)",
    )
    parser.add_argument(
        "--max-pixel-changes",
        type=_share,
        default=DEFAULT_LIMITS.pixel_changes,
        metavar="X",
        help="largest share of pixels of another class (default: 0.02)",
    )
    parser.add_argument(
        "--rounds",
        type=count_up_to(MOST_ROUNDS),
        default=100,
        metavar="N",
        help=f"frames to time on each provider, at most {MOST_ROUNDS:,}; below 6 there is no interval (default: 100)",
    )
    parser.add_argument(
        "--network", type=Path, metavar="FILE.onnx", help="the network without a monitor, to time it in the same turns"
    )
    add_trust(parser)
    add_pixels(parser)
    add_providers(parser, fallback=False)


def run(options: argparse.Namespace) -> int:
    """Certify a provider, or compare two certificates; 1 where a check fails, or the second is worse."""
    if options.compare is not None:
        return _compare(options)
    for given, what in ((options.bundle, "BUNDLE"), (options.provider, "--provider"), (options.frames, "--frames")):
        if not given:
            options.command_parser.error(
                f"expected {what}, got none: name it, or compare two certificates by --compare"
            )
    sources = find_sources(options.frames)
    report_idle_flags(options, sources)
    if options.out is not None:
        check_destinations([options.out], [*sources, *paths_read(options)])
    register_libraries(options)
    reading, counter = FrameReading(sources, stated_rules(options)), FrameCounter(shown=True)
    try:
        certificate = certify(
            options.bundle,
            reading.frames,
            CertifyOptions(
                providers=resolve_providers(options.provider),
                require_provider=options.require_provider,
                threads=options.threads,
                rounds=options.rounds,
                network=options.network,
                limits=Limits(options.max_flips, options.max_pixel_changes),
                manifest_sha256=options.expected_sha256,
                public_key=options.public_key,
            ),
            counter.show,
        )
    finally:
        counter.clear()
    if options.out is not None:
        _write(options.out, certificate)
    write_out(certificate.to_json() if options.json else certificate_text(certificate))
    report_notes(reading.notes)
    report_failures(reading.faults)
    return exit_code(not certificate.passed, bool(reading.faults))


def _compare(options: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = options.command_parser
    others = [
        name for name, value in vars(options).items() if name not in _OF_COMPARE and value != parser.get_default(name)
    ]
    if others:
        words = ", ".join("BUNDLE" if name == "bundle" else f"--{name.replace('_', '-')}" for name in others)
        parser.error(f"expected two certificates alone behind --compare, got {words} as well: leave it out")
    first, second = map(read_certificate, options.compare)
    worse = worse_figures(first, second)
    write_out(comparison_text(first, second, worse))
    return exit_code(bool(worse), False)


def _write(place: Path, certificate: Certificate) -> None:
    """Write a certificate under its name, whole or not at all.

    Raises:
        MediaError: it cannot be written.
    """
    try:
        with whole_file(place) as file:
            file.write(certificate.to_json().encode())
    except OSError as error:
        raise MediaError(f"cannot write {place}: {error.strerror or error}; choose another file") from error


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r}")
    return share
