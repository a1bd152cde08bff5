# SPDX-License-Identifier: Apache-2.0
"""What an evidence pack is made from: the bundle, its report, a certificate and results of tests, read and compared once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from export.errors import UsageError
from export.evaluation.result import evaluated_files
from export.evidence.claims import EvidenceFigure, Unit
from export.evidence.json_pointer import MissingPlaceError, resolve
from export.evidence.junit_results import JunitResults, read_junit
from export.evidence.options import EvidenceOptions
from export.evidence.pack_names import CERTIFICATE, FIGURES, REPORT, RESULTS, TEAM
from export.evidence.team_file import TeamFile, read_team_file
from lsood_runtime import FalseAlarms, Manifest, Policy, __version__, choose_alarm, expected_false_alarms
from lsood_runtime.offline import (
    MANIFEST_FILE,
    Bundle,
    one_line,
    open_bundle,
    parse_certificate,
    parse_json,
    read_plain,
    reason_of,
)

_SIMULATED = 200_000  # frames, as lsood inspect simulates
_LARGEST_FIGURES, _LARGEST_REPORT, _LARGEST_CERTIFICATE = 256 * 2**20, 2**30, 64 * 2**20


class UnmeasuredError(Exception):
    """A figure cannot tell what a requirement asks; the message is a sentence that says why."""


@dataclass(frozen=True, eq=False)
class EvidenceSources:
    """Verified inputs of a pack.

    Attributes:
        bundle: with every file, each compared with its digest.
        documents: parsed JSON, by the name of the copy in the pack.
        copies: bytes of what the pack holds of the inputs, by name.
        results: of tests; nothing without a file of them.
        team: limits and identifiers of the team.
    """

    bundle: Bundle
    documents: Mapping[str, Any]
    copies: Mapping[str, bytes]
    results: JunitResults = field(default_factory=JunitResults)
    team: TeamFile = field(default_factory=TeamFile)

    @property
    def manifest(self) -> Manifest:
        """Of the bundle."""
        return self.bundle.manifest

    @property
    def operating_point(self) -> str:
        """Whose threshold the report is of; the bundle's own without a report."""
        return (
            str(self.documents[FIGURES]["operating_point"])
            if FIGURES in self.documents
            else self.manifest.operating_point
        )

    @property
    def declared_rate(self) -> float:
        """The rate of false alarms that the operating point is for."""
        return self.manifest.operating_points[self.operating_point].false_alarm_rate

    @property
    def drives(self) -> int | None:
        """In-distribution drives of the report; None without a report, or where it tells none apart."""
        return len(self.at(FIGURES, "/ind/drives") or []) or None

    @cached_property
    def alarm(self) -> tuple[Policy, FalseAlarms] | None:
        """The alarm that the team's file asks for, with its simulated false alarms; None where it asks for none.

        Raises:
            UsageError: the alarm cannot work with the bundle.
        """
        asked, manifest, point = self.team.alarm, self.manifest, self.operating_point
        if asked is None:
            return None
        frames = asked.frames_per_second
        try:
            if asked.policy is not None:
                return asked.policy, expected_false_alarms(
                    asked.policy, manifest, frames_per_second=frames, operating_point=point, frames=_SIMULATED
                )
            choice = choose_alarm(
                manifest, frames_per_second=frames, per_hour=asked.per_hour or 0.0, operating_point=point
            )
        except ValueError as error:
            raise UsageError(f"the alarm of the file of requirements cannot work with this bundle: {error}") from error
        return choice.policy, choice.expected

    def absent(self, file: str) -> UnmeasuredError:
        """The reason why a figure of the report or the certificate is not known."""
        document = {FIGURES: "report", CERTIFICATE: "certificate"}[file]
        return UnmeasuredError(
            f"The {document} does not tell it." if file in self.documents else f"No {document} was given."
        )

    def at(self, file: str, place: str) -> Any:
        """The value at a pointer; None where the pack has no such file, or the file no such place."""
        try:
            return resolve(self.documents[file], place)
        except (KeyError, MissingPlaceError):
            return None

    def number(self, file: str, place: str) -> float | None:
        """A number at a pointer; None where there is none.

        Raises:
            UsageError: something else is there.
        """
        value = self.at(file, place)
        if value is None:
            return None
        if not _is_number(value) or not math.isfinite(value):
            raise damaged(file, place, "a number", value)
        return float(value)

    def count(self, file: str, place: str) -> int | None:
        """A whole number of at least 0 at a pointer; None where there is none.

        Raises:
            UsageError: something else is there.
        """
        value = self.number(file, place)
        if value is not None and (value < 0 or value != round(value)):
            raise damaged(file, place, "a whole number", value)
        return None if value is None else round(value)

    def rows(self, file: str, place: str) -> list[Mapping[str, Any]]:
        """A list of objects at a pointer; empty where there is none.

        Raises:
            UsageError: something else is there.
        """
        value = self.at(file, place)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise damaged(file, place, "a list of objects", value)
        return value

    def figure(
        self,
        name: str,
        file: str,
        place: str,
        *,
        frames: int | None = None,
        drives: int | None = None,
        unit: Unit = "share",
        judged: bool = True,
    ) -> EvidenceFigure | None:
        """The figure at a pointer, a number or a number with the ends of its interval; None where there is none.

        Other arguments are those of the figure.

        Raises:
            UsageError: something else is there.
        """
        ends = self.at(file, place)
        value, low, high = (
            _interval(file, place, ends) if isinstance(ends, list) else (self.number(file, place), None, None)
        )
        if value is None:
            return None
        return EvidenceFigure(name, file, place, value, low, high, frames, drives, unit, judged)


def _interval(file: str, place: str, ends: Sequence[object]) -> tuple[float | None, float | None, float | None]:
    numbers = [each if each is None else float(each) for each in ends if each is None or _is_number(each)]
    known = [number for number in numbers if number is not None]
    if len(ends) != 3 or len(numbers) != 3 or not all(map(math.isfinite, known)):
        raise damaged(file, place, "a number with the ends of its interval", ends)
    value, low, high = numbers
    if (low is None) != (high is None) or (value is None and low is not None):
        raise damaged(file, place, "both ends of an interval or none", ends)
    if value is not None and low is not None and high is not None and not low <= value <= high:
        raise damaged(file, place, "a number within its interval", ends)
    return value, low, high


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def damaged(file: str, place: str, expected: str, value: object) -> UsageError:
    """The error for a document that was changed or damaged."""
    remedies = {FIGURES: "evaluate the bundle again", CERTIFICATE: "certify the bundle again"}
    return UsageError(
        f"expected {expected} at {place} of {file}, got {value!r:.60}: it was changed, {remedies.get(file, 'make it anew')}"
    )


def read_sources(options: EvidenceOptions) -> EvidenceSources:
    """Read and verify everything that a pack is made from.

    Raises:
        BundleError: a damaged bundle.
        MediaError: a damaged certificate.
        UsageError: a report, certificate, file of results or of requirements that cannot be used, or is of another bundle.
    """
    bundle = open_bundle(options.bundle)
    documents: dict[str, Any] = {MANIFEST_FILE: parse_json(bundle.sealed.contents)}
    copies = {MANIFEST_FILE: bundle.sealed.contents}
    if options.report is not None:
        copies |= _read_report(options.report)
        documents[FIGURES] = _figures(options.report, copies[FIGURES], bundle.manifest)
    if options.certificate is not None:
        copies[CERTIFICATE], documents[CERTIFICATE] = _read_certificate(options.certificate, bundle)
    results = JunitResults() if options.junit is None else read_junit(options.junit)
    if results.version is not None and results.version != __version__:
        raise UsageError(
            f"expected results of tests of version {__version__}, whose tests a pack names, got those of "
            f"{one_line(results.version)[:60]} in {options.junit}: run the tests of this version"
        )
    team = TeamFile() if options.requirements is None else read_team_file(options.requirements)
    copies |= {name: contents for name, contents in ((RESULTS, results.contents), (TEAM, team.contents)) if contents}
    return EvidenceSources(bundle, documents, copies, results, team)


def _read_report(folder: Path) -> dict[str, bytes]:
    sizes = {FIGURES: _LARGEST_FIGURES, REPORT: _LARGEST_REPORT}
    try:
        return {name: read_plain(folder / Path(name).name, largest) for name, largest in sizes.items()}
    except OSError as error:
        raise UsageError(
            f"expected a report, as python -m export evaluate --report writes it, cannot read {error.filename}: "
            f"{reason_of(error)}; give its folder"
        ) from error


def _figures(folder: Path, contents: bytes, manifest: Manifest) -> Any:
    again = "evaluate this bundle with --report"
    try:
        figures = parse_json(contents)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"expected figures of a report in {folder}, got damaged JSON ({error}): {again}") from error
    if not isinstance(figures, dict) or not figures.keys() >= {
        "bundle",
        "operating_point",
        "threshold",
        "ind",
        "shifts",
    }:
        raise UsageError(f"expected figures of a report in {folder}, got another document: {again}")
    if "bundle_files" not in figures:
        raise UsageError(
            f"expected a report that names the files of its bundle, the one in {folder} is of an older version: {again}"
        )
    point = (
        manifest.operating_points.get(figures["operating_point"])
        if isinstance(figures["operating_point"], str)
        else None
    )
    if figures["bundle_files"] != evaluated_files(manifest) or point is None or point.value != figures["threshold"]:
        raise UsageError(
            f"expected the report of this bundle, the one in {folder} is of another, {figures['bundle']!r:.60}: {again}"
        )
    return figures


def _read_certificate(path: Path, bundle: Bundle) -> tuple[bytes, Any]:
    try:
        contents = read_plain(path, _LARGEST_CERTIFICATE)
    except OSError as error:
        raise UsageError(f"expected a certificate, cannot read {path}: {reason_of(error)}; check its path") from error
    certificate = parse_certificate(contents, path)
    if certificate.bundle.manifest_sha256 != bundle.sealed.sha256:
        raise UsageError(
            f"expected a certificate of this bundle, whose manifest has sha256 {bundle.sealed.sha256[:12]}..., {path} is of "
            f"one with {certificate.bundle.manifest_sha256[:12]}...: certify this one, after its card was updated"
        )
    return contents, parse_json(contents)
