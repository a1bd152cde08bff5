# SPDX-License-Identifier: Apache-2.0
"""Write an evidence pack from within a program; needs no torch."""

import os
from typing import Any

from export.cli.keyword_options import keyword_options, path_word
from export.evidence.options import EvidenceOptions
from export.evidence.pack import EvidencePack
from export.evidence.write_evidence import write_evidence as write_pack
from export.reporter import SILENT, Reporter


def write_evidence(
    bundle: str | os.PathLike[str],
    /,
    *,
    out: str | os.PathLike[str],
    reporter: Reporter = SILENT,
    **options: Any,
) -> EvidencePack:
    """Judge requirements by what was measured, and write a pack for a safety case: what ``python -m export evidence`` does.

    Args:
        bundle: that an export or a recalibration wrote.
        out: folder for the pack; a pack that is there is replaced.
        reporter: told each stage as it begins.
        options: further options, named and valued as the flags, with underscores: ``report="report/"``,
            ``requirements="team.yaml"``.

    Returns:
        The pack; ``check_supported`` raises where a requirement is neither supported nor accepted, as
        ``--require-supported`` does.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
        BundleError: the bundle is damaged.
        MediaError: the certificate is damaged.
    """
    given = {"out": path_word(out)}
    chosen = keyword_options(EvidenceOptions, given, options, "the keyword arguments", [path_word(bundle)])
    return write_pack(chosen, reporter)
