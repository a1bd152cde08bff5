# SPDX-License-Identifier: Apache-2.0
"""Options of an evidence pack."""

from dataclasses import dataclass, field
from pathlib import Path

from export.option_table import flag

_INPUT, _OUTPUT = "evidence", "output"


@dataclass(frozen=True)
class EvidenceOptions:
    """Options of an evidence pack; each field's text is what ``--help`` says of its flag."""

    bundle: Path = field(metadata=flag("the bundle that export or calibrate wrote", name="bundle", metavar="BUNDLE"))
    out: Path = field(
        metadata=flag(
            "folder to write: index.html, evidence.json, evidence.csv, and copies of what they point to; a pack that is "
            "there is replaced",
            _OUTPUT,
            metavar="DIR",
        )
    )
    report: Path | None = field(
        default=None,
        metadata=flag("report of evaluate for this bundle, from which most figures come", _INPUT, metavar="DIR"),
    )
    certificate: Path | None = field(
        default=None,
        metadata=flag(
            "certificate of the target's provider for this bundle, by lsood certify: latency, decisions, golden frames",
            _INPUT,
            metavar="FILE",
        ),
    )
    junit: Path | None = field(
        default=None,
        metadata=flag(
            "results of this project's tests where they were run, as pytest --junitxml writes them",
            _INPUT,
            metavar="FILE",
        ),
    )
    requirements: Path | None = field(
        default=None,
        metadata=flag(
            "YAML file with limits, identifiers, notes and requirements of your own; without it limits are those that the "
            "bundle declares",
            _INPUT,
            metavar="FILE",
        ),
    )
