# SPDX-License-Identifier: Apache-2.0
"""Options of a recalibration of an existing bundle."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from export.calibration.answer_options import AnswerOptions
from export.calibration.options import CalibrationOptions
from export.destination import real_path
from export.frames.reading_options import ReadingOptions
from export.option_table import INPUT_AND_OUTPUT, flag


@dataclass(frozen=True)
class RecalibrationOptions:
    """Options of a recalibration; each field's text is what ``--help`` says of its flag."""

    bundle: Path = field(
        metadata=flag(
            "the bundle that export wrote, or a .zip or .tar of it; it is left as it is",
            name="bundle",
            metavar="BUNDLE",
        )
    )
    out: Path | None = field(
        default=None, metadata=flag("the new bundle (default: BUNDLE-recalibrated)", INPUT_AND_OUTPUT, metavar="DIR")
    )
    frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "in-distribution frames: folders or image files, in the order of recording",
            INPUT_AND_OUTPUT,
            metavar="PATH",
        ),
    )
    features: tuple[Path, ...] = field(
        default=(),
        metadata=flag(
            "files or folders that --save-features wrote, in place of frames", INPUT_AND_OUTPUT, metavar="PATH"
        ),
    )
    save_features: Path | None = field(
        default=None,
        metadata=flag(
            "write the features of the frames to one file, if it ends in .npz; else to a folder, as they are measured: the "
            "same command goes on from there after a cut",
            INPUT_AND_OUTPUT,
            metavar="PATH",
        ),
    )
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    calibration: CalibrationOptions = field(default_factory=CalibrationOptions)
    answers: AnswerOptions = field(default_factory=AnswerOptions)
    overwrite: bool = field(
        default=False,
        metadata=flag("replace a bundle at --out once the new one is complete", INPUT_AND_OUTPUT),
    )
    workers: int = field(
        default=1,
        metadata=flag(
            "processes that measure frames, those of the answers too; the result is the same",
            INPUT_AND_OUTPUT,
            metavar="N",
            least=1,
            most=1024,
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=flag("CPU threads (default: one for each core)", INPUT_AND_OUTPUT, metavar="N", least=1, most=1024),
    )

    @property
    def destination(self) -> Path:
        """Folder of the new bundle."""
        bundle = self.bundle if self.bundle.name not in ("", "..") else real_path(self.bundle)
        name = bundle.stem if os.path.isfile(bundle) else bundle.name  # noqa: PTH113  of an archive without its suffix
        return self.out or bundle.with_name(f"{name}-recalibrated")
