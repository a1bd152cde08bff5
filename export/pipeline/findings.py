# SPDX-License-Identifier: Apache-2.0
"""Collect what the steps of an export find, and the problems of steps that others need not wait for."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from export.errors import ExportError, UsageError
from export.findings import PLACEHOLDER, Finding, in_order
from export.option_table import command_words, merged_command, with_words, without_flags, words_by_flag
from export.pipeline.culprits import culprit_words
from export.pipeline.options import ExportOptions
from export.reporter import Reporter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

T = TypeVar("T")

_STAND_INS = {
    "--mean": "0.5",
    "--std": "0.25",
    "--network-channels": "rgb",
    "--network-output": "logits",
    "--drop-prob": "0.5",
    "--block-size": "1",
}
"""By flag, the value with which later steps are looked at where the user alone knows it."""

_SUBJECTS = {
    "--ckpt": "checkpoint",
    "--model": "network",
    "--model-arg": "arguments",
    "--key": "weights",
    "--prefix": "weights",
    "--trust-checkpoint": "weights",
    "--out": "destination",
    "--frames": "frames",
    "--input-size": "input size",
    "--crop": "input size",
    "--resize": "input size",
    "--pad": "input size",
    "--network-channels": "channels",
    "--mean": "mean and deviation",
    "--std": "mean and deviation",
    "--network-output": "output",
    "--segmentation": "output",
    "--output": "output",
    "--method": "output",
    "--tap": "tap",
    "--feature-layers": "tap",
    "--drop-prob": "DropBlock",
    "--block-size": "DropBlock",
    "--token-grid": "DropBlock",
    "--detector": "detector",
    "--parts": "detector",
    "--reads": "detector",
    "--pca": "detector",
    "--answers": "answers",
    "--tile-grid": "tiles",
    "--road-class": "anomaly map",
}
"""By flag, what a remedy with it is about."""


_CONSENT = {"--trust-checkpoint", "--force", "--overwrite"}
"""Switches that run foreign code, waive a check or remove something."""


def needs_consent(words: Sequence[str]) -> bool:
    """Whether words have a switch that the user alone may throw, as the one that trusts a checkpoint."""
    return not _CONSENT.isdisjoint(words)


def completed_command(
    options: "OptionTable", stated: Iterable[Sequence[str]], without: Collection[str] = ()
) -> tuple[str, ...] | None:
    """Words of the command that gives these options, changed by words that state more; None where no command line can.

    Args:
        options: as the user gave them.
        stated: words that state more.
        without: flags to leave out, or keys of them, as ``--flag=key``.
    """
    try:
        words = command_words(without_flags(options, without))
    except UsageError:
        return None
    return tuple(merged_command(type(options), words, stated))


class Findings:
    """A reporter that keeps what is found, and attempts steps: what stops one of them does not stop the others.

    A step that fails is a problem. Where its error says by which words it is remedied, the step is attempted again with them,
    and later steps go on with them; for what the user alone knows a stand-in is taken. So that all problems come at once.

    Args:
        given: options as the user gave them.
        reporter: told stages and progress.

    Attributes:
        options: as given, with remedies and stand-ins.
        problems: errors of the steps, in their order.
    """

    def __init__(self, given: ExportOptions, reporter: Reporter) -> None:
        self.given, self.options = given, given
        self.problems: list[ExportError] = []
        self._reporter = reporter
        self._found: list[Finding] = []
        self._settled: set[str] = set()
        self._provisional: set[str] = set()

    def stage(self, text: str) -> None:
        """Hand the stage on."""
        self._reporter.stage(text)

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Hand the progress on."""
        return self._reporter.progress(items, what, total)

    def found(self, *findings: Finding) -> None:
        """Keep the findings, each once, but those on a settled subject."""
        for finding in findings:
            if finding.subject not in self._settled and finding not in self._found:
                self._found.append(finding)

    def amend(self, finding: Finding) -> None:
        """Put a finding in the place of the one of the same subject and origin, where there is one."""
        about = (finding.subject, finding.origin)
        self._found = [finding if (each.subject, each.origin) == about else each for each in self._found]

    def leave_open(self, *subjects: str) -> None:
        """Leave what is guessed of some subjects to the export itself: it may guess otherwise from what is not known yet."""
        self._provisional |= {*subjects}

    def is_open(self, subject: str) -> bool:
        """Whether what is guessed of a subject is left to the export."""
        return subject in self._provisional

    def settle(self, finding: Finding) -> None:
        """Keep a finding, and none on its subject that come later: they are about what stands in."""
        self.found(finding)
        self._settled.add(finding.subject)

    def completed(self, words: Iterable[str]) -> None:
        """Hand the completed command on."""
        self._reporter.completed(words)

    def attempt(self, subject: str, step: Callable[[ExportOptions], T]) -> T | None:
        """Do a step; None where it fails and its error has no remedy to go on with.

        Args:
            subject: of the step, for an error whose words do not tell it.
            step: is given the options, with remedies of the steps before.
        """
        while True:
            try:
                return step(self.options)
            except ExportError as error:
                if not error.has_remedy:
                    error.words = culprit_words(error, self.given)
                self._note(subject, error)
                remedied = self._remedied(error)
                if remedied == self.options:
                    return None
                self.options = remedied

    @property
    def all(self) -> tuple[Finding, ...]:
        """What was found, in the order of the table."""
        return in_order(tuple(self._found))

    def complete(self, findings: Iterable[Finding]) -> None:
        """Keep findings on subjects of which nothing is known yet."""
        known = {finding.subject for finding in self._found}
        self._found += [finding for finding in findings if finding.subject not in known]

    @property
    def stated(self) -> tuple[tuple[str, ...], ...]:
        """The words that state what is missing or guessed, with placeholders for what the user alone knows."""
        return tuple(
            finding.words
            for finding in self.all
            if (finding.origin == "missing" and not needs_consent(finding.words))
            or (finding.origin == "guessed" and finding.subject not in self._provisional)
        )

    @property
    def without(self) -> tuple[str, ...]:
        """Flags that the problems' remedies leave out."""
        return tuple(flag for problem in self.problems for flag in problem.without)

    @property
    def command(self) -> tuple[str, ...] | None:
        """Words of the completed command behind ``python -m export``, with placeholders for what the user alone knows.

        None for options that no command line can give, as two different seeds.
        """
        given = self.given if self.given.frames else replace(self.given, frames=(Path(PLACEHOLDER),))
        return completed_command(given, self.stated, self.without)

    def error(self) -> ExportError:
        """The one problem, or one error that lists all of them, of the first one's class."""
        first, *others = self.problems
        if not others:
            return first
        listed = "; ".join(f"({number}) {problem}" for number, problem in enumerate(self.problems, 1))
        return type(first)(f"expected nothing to be missing, got {len(self.problems)} problems: {listed}")

    def _note(self, subject: str, error: ExportError) -> None:
        if str(error) not in map(str, self.problems):
            self.problems.append(error)
            flags = (word for word in (*error.words, *error.without) if word in _SUBJECTS)
            error.subject = about = error.subject or next((_SUBJECTS[flag] for flag in flags), subject)
            values = [word for word in error.words if not word.startswith("--") and PLACEHOLDER not in word]
            self._settled.discard(about)
            self.settle(Finding(about, " ".join(values), "missing", str(error), error.words))

    def _remedied(self, error: ExportError) -> ExportOptions:
        """The options with an error's words; unchanged where there are none, or no stand-in for what is left open.

        A switch that needs the user's consent is never thrown.
        """
        if needs_consent(error.words):
            return self.options
        options = without_flags(self.options, error.without)
        words: list[str] = []
        for flag, values in words_by_flag(type(options), error.words).items():
            words += [flag, *(_STAND_INS.get(flag, value) if value == PLACEHOLDER else value for value in values)]
        if any(word == PLACEHOLDER or word.endswith(f"={PLACEHOLDER}") for word in words):
            return self.options
        return with_words(options, words)
