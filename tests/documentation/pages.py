# SPDX-License-Identifier: Apache-2.0
"""The README and the pages of the site as Markdown, and what is in them: code blocks, shell commands, links, code spans."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

_FENCE = re.compile(r"^```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_SNIPPET = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', flags=re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file name of its title (or none), its text."""

    language: str
    title: str | None
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, continued lines joined, comments and blank lines left out."""
        lines = (line.strip() for line in self.text.replace("\\\n", " ").splitlines())
        return [line for line in lines if line and not line.startswith("#")]


@dataclass(frozen=True)
class Page:
    """A page by its path from the root of the project."""

    path: str

    @property
    def file(self) -> Path:
        return ROOT / self.path

    @property
    def text(self) -> str:
        """The page as it is shown: files that it includes stand in it."""
        return _SNIPPET.sub(lambda match: (ROOT / match["path"]).read_text(), self.file.read_text())

    @property
    def blocks(self) -> list[Block]:
        return self.blocks_of(self.text)

    @staticmethod
    def blocks_of(text: str) -> list[Block]:
        """The fenced blocks of a part of a page."""
        found = []
        for match in _FENCE.finditer(text):
            title = re.search(r'title="([^"]+)"', match["info"])
            found.append(Block(match["language"], title and title[1], match["text"]))
        return found

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def code_spans(self) -> list[str]:
        return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", self.prose)

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures inside the project."""
        targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", self.prose))
        return [target for target in targets if not re.match(r"[a-z]+:", target)]

    def __str__(self) -> str:
        return self.path


README = Page("README.md")
PAIRS = Page("docs/reference/commands-and-functions.md")
SITE = [Page(str(path.relative_to(ROOT))) for path in sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [README, *SITE]
