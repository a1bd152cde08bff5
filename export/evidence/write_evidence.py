# SPDX-License-Identifier: Apache-2.0
"""Write an evidence pack for a bundle."""

import datetime as dt
from pathlib import Path

from export.atomic_write import atomic_folder
from export.destination import check_not_read, claimed, real_path
from export.errors import UsageError
from export.evidence.judge_claims import judge_claims
from export.evidence.options import EvidenceOptions
from export.evidence.pack import EvidencePack
from export.evidence.pack_names import INDEX, PACK, SUMS, TABLE
from export.evidence.page import render_pack
from export.evidence.sources import read_sources
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import sha256_hex

_REMEDY = "choose another --out"


def write_evidence(options: EvidenceOptions, reporter: Reporter = SILENT) -> EvidencePack:
    """Judge every requirement by what the bundle, its report, a certificate and results of tests hold, and write the pack.

    The folder appears whole, or not at all; a pack that is there is replaced.

    Returns:
        The pack as it was written.

    Raises:
        UsageError: an input that cannot be used or is of another bundle, or a folder that cannot be written.
        BundleError: a damaged bundle.
        MediaError: a damaged certificate.
    """
    with claimed(options.out, _REMEDY):
        _check_folder(options)
        reporter.stage(f"verifying {options.bundle}")
        sources = read_sources(options)
        reporter.stage("judging requirements")
        pack = EvidencePack.of_claims(
            sources, tuple(judge_claims(sources)), dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        )
        reporter.stage(f"writing {options.out}")
        with atomic_folder(options.out) as folder:
            _fill(folder, pack)
    return pack


def _check_folder(options: EvidenceOptions) -> None:
    """Refuse a folder that is not a pack's, or that holds or is held by something that is read."""
    folder = options.out
    check_not_read(folder, options, _REMEDY)
    inputs = (options.report, options.certificate, options.junit, options.requirements)
    for path in (options.bundle, *(each for each in inputs if each is not None)):
        if real_path(path).is_relative_to(real_path(folder)):
            raise UsageError(f"expected inputs outside {folder}, which is replaced, got {path}: {_REMEDY}")
    if folder.exists() and any(folder.iterdir()) and not (folder / PACK).is_file():
        raise UsageError(f"expected an evidence pack or nothing at {folder}, found something else: {_REMEDY}")


def _fill(folder: Path, pack: EvidencePack) -> None:
    written = {
        INDEX: render_pack(pack).encode(),
        PACK: pack.to_json().encode(),
        TABLE: pack.to_csv().encode(),
    }
    files = {**written, **pack.copies}
    for name, contents in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(contents)
    lines = "".join(f"{sha256_hex(contents)}  {name}\n" for name, contents in sorted(files.items()))
    (folder / SUMS).write_text(lines)
