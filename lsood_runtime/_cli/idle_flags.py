# SPDX-License-Identifier: Apache-2.0
"""Say which flags of a command line do nothing: each in one line, before the first frame.

A flag is idle where nothing that it is about takes part in the run, such as ``--topic`` without a recording. Whether a flag
would have changed the frames that are there is another question: ``--grey`` is not idle for want of a grey image.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lsood_runtime._cli.terminal import say
from lsood_runtime._media.sources import SourceKind, source_kind
from lsood_runtime._stream.policy_text import Alarm, AskedRate

_IMAGE, _VIDEO, _RECORDING, _CAMERA = SourceKind
_OF_KINDS = {
    "--topic": (_RECORDING,),
    "--encoding": (_RECORDING,),
    "--yuv": (_VIDEO, _RECORDING),
    "--bits": (_IMAGE, _RECORDING),
    "--grey": (_IMAGE, _VIDEO, _RECORDING),
    "--fps": (_IMAGE,),
    "--max-age": (_RECORDING, _CAMERA),
}
_PIXELS = ("--grey", "--bits", "--encoding", "--yuv")


@dataclass(frozen=True, slots=True)
class _Need:
    flag: str
    met: Callable[[argparse.Namespace], bool]
    what: str


_NEEDS = (
    _Need("--highest", lambda options: options.thumbnails is not None, "it goes with --thumbnails"),
    _Need("--features", lambda options: bool(options.out), "it goes with --out"),
    *(
        _Need(flag, lambda options: options.tile_share is not None, "--tile-share never switches the tiles off")
        for flag in ("--tile-grid", "--tile-frames")
    ),
    *(
        _Need(flag, lambda options: options.provider is not None, "it goes with --provider")
        for flag in ("--allow-fallback", "--require-provider", "--provider-library")
    ),
)


def report_idle_flags(
    options: argparse.Namespace, sources: Sequence[str] = (), *, part_count: int | None = None
) -> None:
    """Say which flags do nothing for these sources.

    Args:
        options: of the command.
        sources: that it reads; empty for a command without, or where none is given.
        part_count: of the bundle's detector; None where no parts can be asked for.
    """
    for flag, why in idle_flags(options, sources, part_count=part_count):
        say(f"lsood: note: {flag} does nothing here: {why}")


def idle_flags(
    options: argparse.Namespace, sources: Sequence[str], *, part_count: int | None = None
) -> Iterator[tuple[str, str]]:
    """The flags that do nothing, each with the reason."""
    stated = {
        flag for flag in (*_OF_KINDS, *(need.flag for need in _NEEDS), "--parts", "--threads") if _given(options, flag)
    }
    yield from ((need.flag, need.what) for need in _NEEDS if need.flag in stated and not need.met(options))
    if "--parts" in stated and part_count is not None:
        if not part_count:
            yield "--parts", "the score of this bundle has no parts"
        elif options.command == "watch" and not options.out and not options.json:
            yield "--parts", "it goes with --out or --json"
    if options.command == "inspect":
        if "--fps" in stated and not _rules(options):
            yield "--fps", "it goes with --alarm or --quality-alarm"
        elif "--fps" in stated and _have_own_rate(options):
            yield "--fps", f"{' and '.join(_rules(options))} states the rate"
        return
    if options.command == "diff" and not sources:
        for flag in (*_PIXELS, "--threads"):
            if flag in stated:
                yield flag, "it is for frames, and no file of frames is given"
        return
    kinds = {source_kind(source) for source in sources}
    for flag, wanted in _OF_KINDS.items():
        if flag in stated and kinds and kinds.isdisjoint(wanted) and not (flag == "--fps" and _sets_alarm(options)):
            yield flag, f"it is for {_listing(wanted)}, the sources have none"


def _given(options: argparse.Namespace, flag: str) -> bool:
    name = flag[2:].replace("-", "_")
    value = getattr(options, name, None)
    return name in options.stated or (isinstance(value, bool | list) and bool(value))


def _sets_alarm(options: argparse.Namespace) -> bool:
    """Whether the rate of frames is that of the alarm as well, as in ``watch``."""
    return options.command == "watch" and not _have_own_rate(options)


def _rules(options: argparse.Namespace) -> dict[str, Alarm]:
    """The rules that were asked for, by their flags."""
    given = {"--alarm": options.alarm, "--quality-alarm": options.quality_alarm}
    return {f"{flag} {rule}": rule for flag, rule in given.items() if rule is not None}


def _have_own_rate(options: argparse.Namespace) -> bool:
    """Whether every rule states the rate of frames itself."""
    return all(isinstance(rule, AskedRate) and rule.frames_per_second is not None for rule in _rules(options).values())


def _listing(kinds: Sequence[SourceKind]) -> str:
    *first, last = [kind.value for kind in kinds]
    return f"{', '.join(first)} and {last}" if first else last
