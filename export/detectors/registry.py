# SPDX-License-Identifier: Apache-2.0
"""Registry of detectors: one specification each, read by options, help, model card, converters and documentation.

A new detector is an estimator (:class:`DetectorEstimator`) and one entry of ``DETECTORS``, or of ``NAMED_FEATURE_DETECTORS``
where it reads certain features and no others. Nothing heavy is imported before a detector is built, so that ``--help`` can
list them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from export.errors import UsageError
from export.features.key import OUTPUT_SCORES, FeatureKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from skl2onnx.algebra.onnx_operator import OnnxOperator
    from torch import nn


class DetectorEstimator(Protocol):
    """A scikit-learn estimator whose score has an ONNX form."""

    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Fit to ``(N, D)`` rows.

        Raises:
            ValueError: rows that cannot be fitted.
        """

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score ``(M, D)`` rows: ``(M,)`` float64, higher = closer to the in-distribution rows."""

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """Express ``score_samples`` in ONNX operators: ``(B, D)`` float64 rows to ``(B, 1)`` float64."""


@dataclass(frozen=True)
class DetectorSpec:
    """Specification of a detector: its names and words, how it is built, and what it needs.

    Attributes:
        name: its value of ``--detector``, and ``detector.kind`` in a bundle's manifest.
        noun: what it is, for the model card: completes "scored by ...".
        help: a phrase for ``--help``.
        score: what its score is, for the documentation.
        unit: of the score; None for one without a unit.
        build: makes the unfitted estimator; the bandwidth is of kernel densities, others leave it unread.
        fewest_frames: in-distribution frames that it can be fitted on, at least.
        needs_ood_frames: whether it is fitted on out-of-distribution frames as well, with labels 0 and 1.
        fits_drives: whether ``fit`` takes the drives of the rows as ``groups``.
        streams: whether ``fit`` reads :class:`~export.features.rows.RowBlocks`: its memory does not grow with the frames.
        torch_score: for TorchScript: makes the module from ``(B, D)`` float64 rows to the score ``(B,)`` of the fitted
            estimator; None where there is none.
        reads: kinds of the features that it reads by default, in order: of each kind the last that a network gives.
        accepts: for each feature, in order, the kinds that it may be of; empty: any number of features of any kind, side by
            side. Where the last one may be missing, ``optional_last`` says so.
        optional_last: whether the last of ``accepts`` may be left out.
    """

    name: str
    noun: str
    help: str
    score: str
    unit: str | None
    build: Callable[[float | str], DetectorEstimator]
    fewest_frames: int
    needs_ood_frames: bool = False
    fits_drives: bool = False
    streams: bool = False
    torch_score: Callable[[DetectorEstimator], nn.Module] | None = None
    reads: tuple[FeatureKind, ...] = (FeatureKind.ENTROPY,)
    accepts: tuple[tuple[FeatureKind, ...], ...] = ()
    optional_last: bool = False

    @property
    def fits_widths(self) -> bool:
        """Whether ``fit`` takes the widths of the features that the rows consist of."""
        return len(self.accepts) > 1


def _kernel_density(bandwidth: float | str) -> DetectorEstimator:
    from export.detectors.kernel_density import KernelDensityDetector

    return KernelDensityDetector(bandwidth)


def _kernel_density_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.kernel_density import KernelDensityDetector
    from export.detectors.kernel_density_torch import CompressedDensityScore, KernelDensityScore

    assert isinstance(estimator, KernelDensityDetector)
    if estimator.compressed_ is not None:
        return CompressedDensityScore(estimator.compressed_)
    return KernelDensityScore(estimator)


def _kde_classifier(bandwidth: float | str) -> DetectorEstimator:
    from export.detectors.kde_classifier import KDELogOdds

    return KDELogOdds(bandwidth)


def _mahalanobis(_: float | str) -> DetectorEstimator:
    from export.detectors.mahalanobis import MahalanobisDetector

    return MahalanobisDetector()


def _mahalanobis_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.mahalanobis import MahalanobisDetector
    from export.detectors.mahalanobis_torch import MahalanobisScore

    assert isinstance(estimator, MahalanobisDetector)
    return MahalanobisScore(estimator)


def _mahalanobis_l2(_: float | str) -> DetectorEstimator:
    from export.detectors.mahalanobis_l2 import NormalisedMahalanobisDetector

    return NormalisedMahalanobisDetector()


def _mahalanobis_l2_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.mahalanobis_l2 import NormalisedMahalanobisDetector
    from export.detectors.mahalanobis_torch import NormalisedMahalanobisScore

    assert isinstance(estimator, NormalisedMahalanobisDetector)
    return NormalisedMahalanobisScore(estimator)


def _nearest_neighbors(_: float | str) -> DetectorEstimator:
    from export.detectors.nearest_neighbors import NearestNeighborDetector

    return NearestNeighborDetector()


def _nearest_neighbors_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.nearest_neighbors import NearestNeighborDetector
    from export.detectors.nearest_neighbors_torch import NearestNeighborScore

    assert isinstance(estimator, NearestNeighborDetector)
    return NearestNeighborScore(estimator)


def _vim(_: float | str) -> DetectorEstimator:
    from export.detectors.vim import VirtualLogit

    return VirtualLogit()


def _vim_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.penultimate_torch import VirtualLogitScore
    from export.detectors.vim import VirtualLogit

    assert isinstance(estimator, VirtualLogit)
    return VirtualLogitScore(estimator)


def _neco(_: float | str) -> DetectorEstimator:
    from export.detectors.neco import NeuralCollapseRatio

    return NeuralCollapseRatio()


def _neco_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.neco import NeuralCollapseRatio
    from export.detectors.penultimate_torch import NeuralCollapseScore

    assert isinstance(estimator, NeuralCollapseRatio)
    return NeuralCollapseScore(estimator)


def _output_score(_: float | str) -> DetectorEstimator:
    from export.detectors.output_score import OutputScore

    return OutputScore()


def _output_score_in_torch(_: DetectorEstimator) -> nn.Module:
    from export.detectors.output_score_torch import OutputScoreItself

    return OutputScoreItself()


_SPECS = (
    DetectorSpec(
        name="kde",
        noun="exact Gaussian kernel density",
        help="kernel density",
        score="minus the log-density of an exact Gaussian sum over the frames; LaRED after PCA",
        unit="nats",
        build=_kernel_density,
        fewest_frames=10,
        fits_drives=True,
        streams=True,
        torch_score=_kernel_density_in_torch,
    ),
    DetectorSpec(
        name="kde-classifier",
        noun="odds of two kernel densities",
        help="one density a class, needs --ood-frames",
        score="log-odds of two densities, the guide's",
        unit="nats",
        build=_kde_classifier,
        fewest_frames=10,
        needs_ood_frames=True,
    ),
    DetectorSpec(
        name="mahalanobis",
        noun="Gaussian with a shrunk covariance",
        help="Gaussian with a shrunk covariance",
        score="squared distance under a Ledoit-Wolf covariance; LaREM",
        unit=None,
        build=_mahalanobis,
        fewest_frames=2,
        streams=True,
        torch_score=_mahalanobis_in_torch,
    ),
    DetectorSpec(
        name="mahalanobis-l2",
        noun="Gaussian with a shrunk covariance over normalised features",
        help="Gaussian of L2-normalised features",
        score="squared distance of the normalised features: Mahalanobis++ (Mueller and Hein 2025)",
        unit=None,
        build=_mahalanobis_l2,
        fewest_frames=2,
        streams=True,
        torch_score=_mahalanobis_l2_in_torch,
    ),
    DetectorSpec(
        name="knn",
        noun="distance to the nearest in-distribution frames",
        help="distance to the 5th nearest frame",
        score="distance to the fifth nearest frame (Sun et al. 2022)",
        unit="nats, none after scaling",
        build=_nearest_neighbors,
        fewest_frames=5,
        torch_score=_nearest_neighbors_in_torch,
    ),
)

_NAMED_FEATURE_SPECS = (
    DetectorSpec(
        name="vim",
        noun="virtual logit of the penultimate layer",
        help="virtual logit of the penultimate layer against the energy",
        score="virtual logit minus energy, of a frame's mean channels and logits (ViM; Wang et al. 2022)",
        unit="logits",
        build=_vim,
        fewest_frames=4,
        torch_score=_vim_in_torch,
        reads=(FeatureKind.MOMENTS, FeatureKind.ENERGY),
        accepts=((FeatureKind.MOMENTS,), (FeatureKind.LOGIT_MOMENTS, FeatureKind.ENERGY)),
    ),
    DetectorSpec(
        name="neco",
        noun="share of the penultimate layer's norm in the principal space",
        help="share of the penultimate layer's norm in the principal space",
        score="minus the ratio of norms, times the largest logit where there are logits (NECO; Ammar et al. 2024)",
        unit="logits, none without them",
        build=_neco,
        fewest_frames=2,
        torch_score=_neco_in_torch,
        reads=(FeatureKind.MOMENTS,),
        accepts=((FeatureKind.MOMENTS,), (FeatureKind.LOGIT_MOMENTS, FeatureKind.MAXIMUM_LOGIT)),
        optional_last=True,
    ),
    DetectorSpec(
        name="output-score",
        noun="score of the network's own output",
        help="a score of the network's own output, as it is",
        score="energy, or another score of the output, aggregated over the frame",
        unit="of the score",
        build=_output_score,
        fewest_frames=1,
        streams=True,
        torch_score=_output_score_in_torch,
        reads=(FeatureKind.ENERGY,),
        accepts=(OUTPUT_SCORES,),
    ),
)

FUSED = "fused"
"""Value of ``--detector`` for a sum of standardised parts, each a detector of its own (:mod:`export.detectors.fused`)."""

DETECTORS: dict[str, DetectorSpec] = {spec.name: spec for spec in _SPECS}
"""Detectors of any feature, or of several side by side; by name, in the order in which help and documentation list them."""

NAMED_FEATURE_DETECTORS: dict[str, DetectorSpec] = {spec.name: spec for spec in _NAMED_FEATURE_SPECS}
"""Detectors of certain features and no others."""


def detector_names() -> tuple[str, ...]:
    """Names of all detectors, those of certain features last."""
    return (*DETECTORS, *NAMED_FEATURE_DETECTORS)


def detector_spec(name: str) -> DetectorSpec:
    """The specification of a detector.

    Raises:
        UsageError: there is no detector of this name.
    """
    everything = DETECTORS | NAMED_FEATURE_DETECTORS
    if name not in everything:
        raise UsageError(f"expected a detector among {', '.join(everything)}, got {name!r}: choose one of them")
    return everything[name]


def detector_noun(name: str) -> str:
    """Noun of a detector; its bare name where it is not registered, as in a bundle of an extended exporter."""
    if name == FUSED:
        return "sum of standardised parts"
    return detector_spec(name).noun if name in detector_names() else name


def detectors_on_ind_frames() -> tuple[str, ...]:
    """Names of the detectors that in-distribution frames alone fit."""
    return tuple(name for name, spec in DETECTORS.items() if not spec.needs_ood_frames)


def detectors_on_ood_frames() -> tuple[str, ...]:
    """Names of the detectors that are fitted on out-of-distribution frames as well."""
    return tuple(name for name, spec in DETECTORS.items() if spec.needs_ood_frames)


def streaming_detectors() -> tuple[str, ...]:
    """Names of the detectors whose fit reads the frames block by block, where neither scaling nor PCA stands before it."""
    return tuple(name for name in detector_names() if detector_spec(name).streams)


def detector_help() -> str:
    """One phrase for each detector, for ``--help``."""
    single = (f"{name}: {detector_spec(name).help}" for name in detector_names())
    return "; ".join([f"{FUSED}: the sum of several standardised parts", *single])


def detector_table() -> str:
    """The detectors as a Markdown table, for the documentation."""
    rows = [
        f"| `{spec.name}` | {spec.score} | {_features_words(spec)} | {spec.unit or 'none'} | {spec.fewest_frames} | "
        f"{'yes' if spec.needs_ood_frames else 'no'} | {'no' if spec.torch_score is None else 'yes'} |"
        for spec in map(detector_spec, detector_names())
    ]
    head = "| detector | score | features | unit | fewest frames | out-of-distribution frames | TorchScript |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows]) + "\n"


def _features_words(spec: DetectorSpec) -> str:
    if not spec.accepts:
        return "any, several side by side"
    each = [" or ".join(f"`{kind}`" for kind in kinds) for kinds in spec.accepts]
    return ", then ".join(each) + (" or nothing" if spec.optional_last else "")
