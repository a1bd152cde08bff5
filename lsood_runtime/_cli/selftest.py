# SPDX-License-Identifier: Apache-2.0
"""``lsood selftest``: verify a bundle and replay its golden frames on this machine."""

import argparse
import dataclasses
import json
from collections.abc import Mapping

from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.provider_flags import add_providers, provider_arguments
from lsood_runtime._cli.terminal import write_out
from lsood_runtime._inference.placement import Placement, describe, describe_operators
from lsood_runtime._inference.self_test import SelfTest
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._text.json_values import finite_values

_EPILOG = """\
exit codes: 0 every golden frame gets its score, classes and answers back, 1 one does not, 2 bad usage, or nothing runs at all

example:
  lsood selftest monitor/ --provider openvino --require-provider
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "selftest", run, "verify a bundle and replay its golden frames here", _EPILOG)
    add_bundle(parser)
    add_trust(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    add_providers(parser)


def run(options: argparse.Namespace) -> int:
    """Replay the golden frames and print how far off each score is; 1 where one is too far off, a class map or an answer."""
    report_idle_flags(options)
    with OoDMonitor(
        options.bundle,
        **provider_arguments(options),
        self_test=False,
        expected_sha256=options.expected_sha256,
        public_key=options.public_key,
    ) as monitor:
        result = monitor.self_test()
        latency_ms = monitor.warm_up()
        files = len(monitor.manifest.files)
    if options.json:
        more = {"errors": result.errors, "passed": result.passed, "latency_ms": latency_ms}
        write_out(f"{json.dumps(finite_values(dataclasses.asdict(result) | more))}\n")
    else:
        write_out("\n".join([*_lines(result, files, latency_ms), ""]))
    return 0 if result.passed else 1


def _lines(result: SelfTest, files: int, latency_ms: float) -> list[str]:
    lines = [
        f"files     {files}, with the lengths and digests that the manifest records",
        f"provider  {result.provider}; {latency_ms:.1f} ms a frame once warm",
        *placement_lines(result.placements, result.provider),
    ]
    for i, (score, expected, error) in enumerate(zip(result.scores, result.expected, result.errors, strict=True)):
        verdict = "ok" if error <= result.tolerance else "WRONG"
        lines.append(
            f"golden {i}  {score:.6g}, at export {expected:.6g}, off by {error:.2g} of {result.tolerance:.2g}: {verdict}"
        )
    for i, share in enumerate(result.pixel_changes):
        verdict = "ok" if share <= result.pixel_tolerance else "WRONG"
        lines.append(f"classes {i} {share:.2%} of pixels of another class, of {result.pixel_tolerance:.2%}: {verdict}")
    for i, share in enumerate(result.answer_errors):
        verdict = "ok" if share <= result.answer_tolerance else "WRONG"
        lines.append(f"answers {i} off by {share:.2%} of their ranges, of {result.answer_tolerance:.2%}: {verdict}")
    return [*lines, "passed" if result.passed else "FAILED: do not rely on this bundle on this machine"]


def placement_lines(placements: Mapping[str, Placement], provider: str) -> list[str]:
    """How many nodes of each graph run where, a line a graph, with the operators of those that run elsewhere."""
    lines = []
    for file, placement in placements.items():
        left = [
            f"left to {name}: {describe_operators(operators)}"
            for name, operators in placement.items()
            if name != provider
        ]
        lines.append(f"nodes     {file}: {'; '.join([describe(placement) or 'not reported', *left])}")
    return lines
