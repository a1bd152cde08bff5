# SPDX-License-Identifier: Apache-2.0
"""The team's own file of an evidence pack: limits, identifiers, notes and further requirements, as YAML."""

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml

from export.errors import UsageError
from export.evidence.claims import CRITERIA, Criterion, Side
from export.evidence.json_pointer import is_pointer
from export.evidence.pack_names import CERTIFICATE, FIGURES
from export.evidence.topics import TOPICS
from export.strict_yaml import LONGEST_TEXT, load_yaml
from lsood_runtime import Policy, parse_policy
from lsood_runtime.offline import MANIFEST_FILE, one_line, read_plain, reason_of

_DOCUMENTS = (MANIFEST_FILE, FIGURES, CERTIFICATE)
_SECTIONS = ("title", "claims", "own", "alarm")
_OF_CLAIM = ("id", "limit", "by", "accepted", "note")
_OF_OWN = ("statement", "figure", "at_most", "at_least", "by", "topics", "note", "accepted")
_OF_ALARM = ("policy", "per_hour", "frames_per_second")


@dataclass(frozen=True)
class TeamEntry:
    """What the team says of a claim of this project.

    Attributes:
        own_id: the team's identifier; empty without one.
        limit: in place of the declared one; None to keep that.
        criterion: in place of the usual one; None to keep that.
        accepted: why a requirement that is not supported is accepted; empty where it is not.
        note: to show.
    """

    own_id: str = ""
    limit: float | None = None
    criterion: Criterion | None = None
    accepted: str = ""
    note: str = ""


@dataclass(frozen=True)
class TeamRequirement:
    """A requirement of the team's own on a figure of a document in the pack.

    Attributes:
        id: the team's identifier.
        statement: what is required.
        file: of the pack.
        pointer: to the figure in it.
        side: of the limit.
        limit: that the figure has to meet.
        criterion: how.
        topics: short names of topics of standards.
        note: to show.
        accepted: as for :class:`TeamEntry`.
    """

    id: str
    statement: str
    file: str
    pointer: str
    side: Side
    limit: float
    criterion: Criterion
    topics: tuple[str, ...] = ()
    note: str = ""
    accepted: str = ""


@dataclass(frozen=True)
class AskedAlarm:
    """The alarm whose delay and false alarms the pack states.

    Attributes:
        policy: the rule; None where a rate chooses one.
        per_hour: false alarms an hour that choose the rule; None where the rule is given.
        frames_per_second: of the camera.
    """

    policy: Policy | None
    per_hour: float | None
    frames_per_second: float


@dataclass(frozen=True)
class TeamFile:
    """The contents of the file; without one everything is empty.

    Attributes:
        contents: its bytes.
        title: of the pack.
        claims: by this project's identifier.
        own: further requirements.
        alarm: None where the pack states none.
    """

    contents: bytes = b""
    title: str = ""
    claims: Mapping[str, TeamEntry] = field(default_factory=dict)
    own: tuple[TeamRequirement, ...] = ()
    alarm: AskedAlarm | None = None


def read_team_file(path: Path) -> TeamFile:
    """Read the file.

    Raises:
        UsageError: it cannot be read, is no such YAML, or has a name or a value that is not known.
    """
    try:
        contents = read_plain(path, LONGEST_TEXT * 4)
        values = load_yaml(contents.decode())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"expected a YAML file of requirements, cannot read {path}: {one_line(reason_of(error))}; correct it"
        ) from error
    if not isinstance(values, dict):
        got = "nothing" if values is None else f"{values!r:.60}"
        raise UsageError(f"expected a mapping of {', '.join(_SECTIONS)} in {path}, got {got}: write NAME: value")
    try:
        sections = _mapping(values, "the file", _SECTIONS)
        return TeamFile(
            contents,
            _text(sections, "title", "the file"),
            {name: _entry(name, entry) for name, entry in _mapping(sections.get("claims", {}), "claims").items()},
            tuple(_own(name, entry) for name, entry in _mapping(sections.get("own", {}), "own").items()),
            _alarm(sections["alarm"]) if "alarm" in sections else None,
        )
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _entry(name: str, values: object) -> TeamEntry:
    where = f"claims.{name}"
    entry = _mapping(values, where, _OF_CLAIM)
    return TeamEntry(
        _text(entry, "id", where),
        _number(entry, "limit", where),
        _criterion(entry, where),
        _text(entry, "accepted", where),
        _text(entry, "note", where),
    )


def _own(name: str, values: object) -> TeamRequirement:
    where = f"own.{name}"
    entry = _mapping(values, where, _OF_OWN)
    sides: dict[Side, float | None] = {
        "at most": _number(entry, "at_most", where),
        "at least": _number(entry, "at_least", where),
    }
    given = {side: limit for side, limit in sides.items() if limit is not None}
    if len(given) != 1:
        raise UsageError(f"expected at_most or at_least in {where}, got {len(given)} of them: give one of the two")
    ((side, limit),) = given.items()
    file, place = _figure(entry, where)
    topics = entry.get("topics", [])
    unknown = [topic for topic in topics if topic not in TOPICS] if isinstance(topics, list) else [topics]
    if unknown:
        raise UsageError(
            f"expected topics in {where} among {', '.join(TOPICS)}, got {unknown[0]!r:.60}: take one of these"
        )
    statement = _text(entry, "statement", where)
    if not statement:
        raise UsageError(f"expected a statement in {where}, got none: say what is required")
    return TeamRequirement(
        name,
        statement,
        file,
        place,
        side,
        limit,
        _criterion(entry, where) or "estimate",
        tuple(topics),
        _text(entry, "note", where),
        _text(entry, "accepted", where),
    )


def _figure(entry: Mapping[str, object], where: str) -> tuple[str, str]:
    """File of the pack and pointer of a figure that is written as ``FILE#/POINTER``."""
    file, _, place = _text(entry, "figure", where).partition("#")
    if file not in _DOCUMENTS or not is_pointer(place):
        raise UsageError(
            f"expected a figure of {', '.join(_DOCUMENTS)} in {where}, got {entry.get('figure')!r:.80}: write FILE#/POINTER, "
            f"such as {FIGURES}#/mean_auroc"
        )
    return file, place


def _alarm(values: object) -> AskedAlarm:
    entry = _mapping(values, "alarm", _OF_ALARM)
    frames, per_hour = _number(entry, "frames_per_second", "alarm"), _number(entry, "per_hour", "alarm")
    text = _text(entry, "policy", "alarm")
    if frames is None or (per_hour is None) == (not text):
        raise UsageError(
            "expected frames_per_second and either policy or per_hour in alarm, got "
            f"{', '.join(entry) or 'nothing'}: write alarm: {{policy: 3of5, frames_per_second: 10}}"
        )
    try:
        return AskedAlarm(parse_policy(text) if text else None, per_hour, frames)
    except ValueError as error:
        raise UsageError(f"alarm: {error}") from error


def _mapping(values: object, where: str, known: Collection[str] | None = None) -> dict[str, Any]:
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"expected a mapping of names in {where}, got {values!r:.60}: write NAME: value")
    for name in values:
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "leave it out"
            raise UsageError(f"expected {', '.join(known)} in {where}, got {name!r:.60}: {hint}")
    return values


def _text(entry: Mapping[str, object], name: str, where: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"expected text for {name} in {where}, got {value!r:.60}: put it into quotes")
    return value


def _number(entry: Mapping[str, object], name: str, where: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"expected a number for {name} in {where}, got {value!r:.60}: write it without a unit")
    return float(value)


def _criterion(entry: Mapping[str, object], where: str) -> Criterion | None:
    value = entry.get("by")
    for criterion in get_args(Criterion):
        if value == criterion:
            found: Criterion = criterion
            return found
    if value is None:
        return None
    raise UsageError(f"expected by among {', '.join(CRITERIA)} in {where}, got {value!r:.60}: take one of these")
