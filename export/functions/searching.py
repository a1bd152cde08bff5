# SPDX-License-Identifier: Apache-2.0
"""Compare layers, numbers of samples and detectors from within a program."""

import os
from dataclasses import replace
from typing import Any

from torch import nn

from export.cli.keyword_options import Paths, keyword_options, path_words
from export.reporter import SILENT, Reporter
from export.search.options import SearchOptions
from export.search.search import SearchResult, search


def search_detectors(
    network: nn.Module | str | os.PathLike[str],
    /,
    frames: Paths,
    *,
    reporter: Reporter = SILENT,
    **options: Any,
) -> SearchResult:
    """Test every combination of feature, number of samples and detector: what ``python -m export search`` does.

    Args:
        network: any module with its weights, of which a copy is searched; or the path of a checkpoint.
        frames: in-distribution folders or image files in the order of recording.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        options: further options, named and valued as the flags, with underscores: ``taps=["layer3"]``, ``samples=[8, 16]``.

    Returns:
        All candidates, best first.

    Raises:
        ExportError: one of its classes for each cause.
    """
    live, ckpt = (None, os.fspath(network)) if isinstance(network, str | os.PathLike) else (network, os.devnull)
    given = {"ckpt": ckpt, "frames": path_words(frames)}
    chosen = keyword_options(SearchOptions, given, options, "the keyword arguments")
    return search(chosen if live is None else replace(chosen, ckpt=None), reporter, live)
