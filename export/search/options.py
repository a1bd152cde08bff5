# SPDX-License-Identifier: Apache-2.0
"""Options of a search."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path

from export.anomalies import ANOMALIES, COMMON_KINDS, SEVERITIES
from export.calibration.options import CalibrationOptions
from export.detectors.registry import DETECTORS, FUSED, detectors_on_ind_frames
from export.errors import UsageError
from export.option_table import INPUT_AND_OUTPUT, MOST_SEED, Words, flag
from export.pipeline.network_options import MOST_SAMPLES, NetworkOptions
from export.pipeline.options import ExportOptions

_CANDIDATES, _TEST = "candidates", "test"


def read_taps(words: Sequence[str]) -> tuple[str, ...]:
    """Read names of layers, several in a word where commas stand between them."""
    return tuple(name for word in words for name in word.split(",") if name)


def tap_words(taps: Sequence[str]) -> list[str]:
    """The words from which :func:`read_taps` reads these layers.

    Raises:
        UsageError: a name with a comma.
    """
    commas = [name for name in taps if "," in name]
    if commas:
        raise UsageError(
            f"expected names of layers without a comma behind --taps, got {commas[0]}: search one at a time"
        )
    return list(taps)


@dataclass(frozen=True)
class SearchOptions(NetworkOptions):
    """Options of a search; each field's text is what ``--help`` says of its flag."""

    frames: tuple[Path, ...] = field(
        metadata=flag(
            "in-distribution frames: folders or image files, in the order of recording",
            INPUT_AND_OUTPUT,
            metavar="PATH",
        )
    )
    _: KW_ONLY
    ood_frames: tuple[Path, ...] = field(
        default=(),
        metadata=flag("out-of-distribution frames: folders or image files", INPUT_AND_OUTPUT, metavar="PATH"),
    )
    taps: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "layers, each on its own (default: the one DropBlock layer)",
            _CANDIDATES,
            metavar="NAME",
            words=Words(read_taps, tap_words),
        ),
    )
    feature_layers: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "layers beside the taps whose channels' means and deviations are features; may be repeated (default: those that "
            "an export observes)",
            _CANDIDATES,
            metavar="NAME",
            adds_up=True,
        ),
    )
    samples: tuple[int, ...] = field(
        default=(8, 16, 64),
        metadata=flag("numbers of samples a frame", _CANDIDATES, metavar="S", least=1, most=MOST_SAMPLES),
    )
    detectors: tuple[str, ...] = field(
        default_factory=detectors_on_ind_frames,
        metadata=flag(
            lambda: (
                f"detectors of one part, of {', '.join(DETECTORS)}; the fused one and the output's own scores are always "
                "among the candidates"
            ),
            _CANDIDATES,
            metavar="KIND",
            choices=lambda: list(DETECTORS),
        ),
    )
    components: tuple[int, ...] = field(
        default=(0,),
        metadata=flag(
            "whitened principal components before the detectors, where a feature has as many numbers; 0: none",
            _CANDIDATES,
            name="--pca",
            metavar="N",
            least=0,
            most=100_000,
        ),
    )
    kinds: tuple[str, ...] = field(
        default=COMMON_KINDS,
        metadata=flag(
            f"degradations, where no out-of-distribution frames are given: of {', '.join(ANOMALIES)} "
            f"(default: the first {len(COMMON_KINDS)})",
            _TEST,
            name="--shifts",
            metavar="KIND",
            choices=list(ANOMALIES),
        ),
    )
    severity: tuple[int, ...] = field(
        default=(3, 5),
        metadata=flag("severities of the degradations", _TEST, metavar="N", choices=SEVERITIES),
    )
    every: int = field(
        default=4, metadata=flag("degrade every N-th frame", _TEST, metavar="N", least=1, most=1_000_000)
    )
    group_by: str = field(
        default="none",
        metadata=flag(
            "rule that assigns frames to drives: folder, prefix, none or a table, as for an export",
            _TEST,
            metavar="RULE",
        ),
    )
    timed: int = field(
        default=3,
        metadata=flag("measure what the best N add to the network's time", _TEST, metavar="N", least=0, most=1000),
    )
    guide: bool = field(
        default=True, metadata=flag("leave the guide's own configuration out", _TEST, name="--no-guide")
    )
    seed: int = field(default=0, metadata=flag("seed of masks, degradations and PCA", _TEST, least=0, most=MOST_SEED))

    def export_options(
        self,
        tap: Sequence[str],
        samples: int,
        detector: str = FUSED,
        *,
        reads: Sequence[str] = (),
        pca: int | None = None,
    ) -> ExportOptions:
        """Options of the export that makes a bundle of a candidate: written to the folder ``monitor``."""
        shared = {item.name: getattr(self, item.name) for item in fields(NetworkOptions)}
        needs_ood_frames = detector in DETECTORS and DETECTORS[detector].needs_ood_frames
        return ExportOptions(
            **shared,
            frames=self.frames,
            out=Path("monitor"),
            tap=tuple(tap),
            feature_layers=self.feature_layers,
            mc_samples=samples,
            seed=self.seed,
            calibration=CalibrationOptions(
                detector=detector,
                reads=tuple(reads),
                pca=pca,
                ood_frames=self.ood_frames if needs_ood_frames else (),
                group_by=self.group_by,
                seed=self.seed,
            ),
        )
