# SPDX-License-Identifier: Apache-2.0
"""Registry of detectors: one specification each, read by options, help, model card, converters and documentation.

A new detector is an estimator (:class:`DetectorEstimator`) and one entry of ``DETECTORS``. Nothing heavy is imported before a
detector is built, so that ``--help`` can list them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from export.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from skl2onnx.algebra.onnx_operator import OnnxOperator
    from torch import nn


class DetectorEstimator(Protocol):
    """A scikit-learn estimator whose score has an ONNX form.

    One whose specification has a ``density`` also has ``log_likelihood``, of the arguments of ``score_samples``: nats.
    """

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
        density: its noun in the reason of ``auto``, which compares densities by likelihood; None for a detector that is none.
        torch_score: for TorchScript: makes the module from ``(B, D)`` float64 rows to the score ``(B,)`` of the fitted
            estimator; None where there is none.
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
    density: str | None = None
    torch_score: Callable[[DetectorEstimator], nn.Module] | None = None


def _kernel_density(bandwidth: float | str) -> DetectorEstimator:
    from export.detectors.kernel_density import ExactKernelDensity

    return ExactKernelDensity(bandwidth)


def _kernel_density_in_torch(estimator: DetectorEstimator) -> nn.Module:
    from export.detectors.kernel_density import ExactKernelDensity
    from export.detectors.kernel_density_torch import KernelDensityScore

    assert isinstance(estimator, ExactKernelDensity)
    return KernelDensityScore(estimator)


def _kde_classifier(bandwidth: float | str) -> DetectorEstimator:
    from export.detectors.kde_classifier import KDELogOdds

    return KDELogOdds(bandwidth)


def _mahalanobis(_: float | str) -> DetectorEstimator:
    from export.detectors.mahalanobis import MahalanobisDetector

    return MahalanobisDetector()


def _nearest_neighbors(_: float | str) -> DetectorEstimator:
    from export.detectors.nearest_neighbors import NearestNeighborDetector

    return NearestNeighborDetector()


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
        density="a kernel density",
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
        density="a Gaussian",
    ),
    DetectorSpec(
        name="knn",
        noun="distance to the nearest in-distribution frames",
        help="distance to the 5th nearest frame",
        score="distance to the fifth nearest frame (Sun et al. 2022)",
        unit="nats, none after scaling",
        build=_nearest_neighbors,
        fewest_frames=5,
    ),
)

DETECTORS: dict[str, DetectorSpec] = {spec.name: spec for spec in _SPECS}
"""By name, in the order in which help and documentation list them."""


def detector_spec(name: str) -> DetectorSpec:
    """The specification of a detector.

    Raises:
        UsageError: there is no detector of this name.
    """
    if name not in DETECTORS:
        raise UsageError(f"expected a detector among {', '.join(DETECTORS)}, got {name!r}: choose one of them")
    return DETECTORS[name]


def detector_noun(name: str) -> str:
    """Noun of a detector; its bare name where it is not registered, as in a bundle of an extended exporter."""
    return DETECTORS[name].noun if name in DETECTORS else name


def detectors_on_ind_frames() -> tuple[str, ...]:
    """Names of the detectors that in-distribution frames alone fit."""
    return tuple(name for name, spec in DETECTORS.items() if not spec.needs_ood_frames)


def detectors_on_ood_frames() -> tuple[str, ...]:
    """Names of the detectors that are fitted on out-of-distribution frames as well."""
    return tuple(name for name, spec in DETECTORS.items() if spec.needs_ood_frames)


def densities() -> tuple[str, ...]:
    """Names of the detectors among which ``auto`` chooses."""
    return tuple(name for name, spec in DETECTORS.items() if spec.density is not None)


def detector_help() -> str:
    """One phrase for each detector, for ``--help``."""
    return "; ".join(f"{name}: {spec.help}" for name, spec in DETECTORS.items())


def detector_table() -> str:
    """The detectors as a Markdown table, for the documentation."""
    rows = [
        f"| `{spec.name}` | {spec.score} | {spec.unit or 'none'} | {spec.fewest_frames} | "
        f"{'yes' if spec.needs_ood_frames else 'no'} | {'no' if spec.torch_score is None else 'yes'} |"
        for spec in DETECTORS.values()
    ]
    head = "| `--detector` | score | unit | fewest frames | out-of-distribution frames | TorchScript |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows]) + "\n"
