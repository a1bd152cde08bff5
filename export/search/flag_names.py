# SPDX-License-Identifier: Apache-2.0
"""Name the flags of a search in what the steps of an export say, where they have other names there."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from export.errors import ExportError
from export.findings import Finding
from export.reporter import Reporter

T = TypeVar("T")

_OF_SEARCH = {"--tap": "--taps", "--mc-samples": "--samples", "--detector": "--detectors"}
_NAME = re.compile(rf"(?<![\w-])({'|'.join(_OF_SEARCH)})(?![\w-])")


def flags_of_search(text: str) -> str:
    """A text, or one word of a command line, with the flags of a search in place of an export's."""
    return _NAME.sub(lambda found: _OF_SEARCH[found[0]], text)


def finding_of_search(finding: Finding) -> Finding:
    """A finding whose reason and words have the flags of a search."""
    return replace(
        finding, reason=flags_of_search(finding.reason), words=tuple(flags_of_search(word) for word in finding.words)
    )


def error_of_search(error: ExportError) -> ExportError:
    """An error of the same class whose message and words have the flags of a search."""
    return type(error)(
        flags_of_search(str(error)),
        words=[flags_of_search(word) for word in error.words],
        without=[flags_of_search(word) for word in error.without],
        subject=error.subject,
    )


@contextmanager
def told_as_of_search() -> Iterator[None]:
    """Raise errors of the steps of an export with the flags of a search.

    Raises:
        ExportError: what was raised within.
    """
    try:
        yield
    except ExportError as error:
        raise error_of_search(error) from error


class SearchReporter:
    """A reporter that hands on what it is told with the flags of a search.

    Args:
        reporter: told everything.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def stage(self, text: str) -> None:
        """Hand the stage on."""
        self._reporter.stage(flags_of_search(text))

    def found(self, *findings: Finding) -> None:
        """Hand the findings on."""
        self._reporter.found(*map(finding_of_search, findings))

    def completed(self, words: Iterable[str]) -> None:
        """Hand the completed command on, which is a search's already."""
        self._reporter.completed(words)

    def progress(self, items: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Hand the progress on."""
        return self._reporter.progress(items, what, total)
