# SPDX-License-Identifier: Apache-2.0
"""Plots of a detector's scores, by the guide's names.

Each function draws on the axes it is given, or on a new figure, and returns the figure. New figures are not registered with
pyplot: nothing opens a window, and nothing has to be closed. Show one in a notebook by making it the last line of a cell, or
save it by ``figure.savefig``.
"""

from typing import TYPE_CHECKING, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from export.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_IND_COLOUR, _OOD_COLOUR = "tab:blue", "tab:red"
_FEWEST_ROWS = 10


def plot_samples_pacmap(
    samples_ind: NDArray[np.floating],
    samples_ood: NDArray[np.floating],
    neighbors: int = 25,
    title: str = "",
    *,
    seed: int = 0,
    axes: Axes | None = None,
) -> Figure:
    """Project InD and OoD entropies to the plane by PaCMAP (Wang et al. 2021) and scatter them.

    The projection starts from the first two principal components; distances in it have no unit.

    Args:
        samples_ind: ``(N, C)`` entropies, nats.
        samples_ood: ``(M, C)`` entropies; with the others at least 10 rows.
        neighbors: near pairs of each point; PaCMAP takes fewer where there are few rows.
        title: of the axes.
        seed: of PaCMAP.
        axes: to draw on.

    Raises:
        UsageError: too few rows, or rows of different width; or the package ``pacmap`` is missing.
    """
    try:
        import numba  # comes with pacmap
        import pacmap  # type: ignore[import-untyped]  # here, since it compiles for seconds and only this figure needs it
    except ImportError as error:
        raise UsageError("expected the package pacmap for this figure, found none: pip install pacmap") from error
    ind, ood = np.asarray(samples_ind), np.asarray(samples_ood)
    if ind.ndim != 2 or ood.ndim != 2 or ind.shape[1] != ood.shape[1] or len(ind) + len(ood) < _FEWEST_ROWS:
        raise UsageError(
            f"expected at least {_FEWEST_ROWS} rows of one width, got {ind.shape} and {ood.shape}: pass (N, C) entropies"
        )
    embedding = pacmap.PaCMAP(n_components=2, n_neighbors=neighbors, MN_ratio=0.5, FP_ratio=2.0, random_state=seed)
    threads = numba.get_num_threads()
    numba.set_num_threads(
        1
    )  # of its 450 steps each waits for the slowest thread: on a busy machine seconds for a few rows
    try:
        plane = embedding.fit_transform(np.vstack([ind, ood]), init="pca")
    finally:
        numba.set_num_threads(threads)
    axes = _axes(axes)
    for label, colour, points in (
        ("In-Distribution", _IND_COLOUR, plane[: len(ind)]),
        ("Out-of-Distribution", _OOD_COLOUR, plane[len(ind) :]),
    ):
        axes.scatter(points[:, 0], points[:, 1], s=4, color=colour, label=label)
    axes.set(title=title, xlabel="PaCMAP 1", ylabel="PaCMAP 2")
    axes.legend()
    return cast(Figure, axes.figure)


def plot_roc_ood_detector(
    results_table: "pd.DataFrame", legend_title: str = "", plot_title: str = "", *, axes: Axes | None = None
) -> Figure:
    """Draw the ROC curve of every row of a results table, with its area, above the diagonal of a random detector.

    Args:
        results_table: rows of :func:`export.guide.results.get_ood_detector_results`.
        legend_title: above the rows' names.
        plot_title: of the axes.
        axes: to draw on.
    """
    axes = _axes(axes)
    for name, row in results_table.iterrows():
        axes.plot(row["fpr"], row["tpr"], label=f"{name}, AUROC={row['auc']:.4f}")
    axes.plot([0, 1], [0, 1], color="orange", linestyle="--")
    ticks = np.linspace(0, 1, 11)
    axes.set(title=plot_title, xlabel="False Positive Rate", ylabel="True Positive Rate", xticks=ticks, yticks=ticks)
    axes.legend(title=legend_title or None, loc="lower right")
    return cast(Figure, axes.figure)


def plot_score_histogram(
    scores_ind: ArrayLike,
    scores_ood: ArrayLike,
    threshold: float | None = None,
    *,
    bins: int = 50,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw how often each score occurs, InD against OoD, as densities over the same bins.

    Args:
        scores_ind: ``(N,)`` scores of InD frames.
        scores_ood: ``(M,)`` scores of OoD frames.
        threshold: drawn as a vertical line.
        bins: number of bins between the lowest and the highest of all scores.
        title: of the axes.
        axes: to draw on.

    Raises:
        UsageError: no scores on one side, or scores that are not finite.
    """
    ind, ood = np.asarray(scores_ind, np.float64), np.asarray(scores_ood, np.float64)
    both = np.concatenate([ind.ravel(), ood.ravel()])
    if not (ind.size and ood.size and np.isfinite(both).all()):
        raise UsageError(
            f"expected finite scores on both sides, got {ind.size} InD and {ood.size} OoD ones: "
            "leave out frames without a score"
        )
    edges = np.histogram_bin_edges(both, bins).tolist()
    axes = _axes(axes)
    axes.hist(ind.ravel(), edges, density=True, alpha=0.6, color=_IND_COLOUR, label="In-Distribution")
    axes.hist(ood.ravel(), edges, density=True, alpha=0.6, color=_OOD_COLOUR, label="Out-of-Distribution")
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.4g}")
    axes.set(title=title, xlabel="score", ylabel="density")
    axes.legend()
    return cast(Figure, axes.figure)


def _axes(axes: Axes | None) -> Axes:
    return Figure(figsize=(8, 6), layout="constrained").add_subplot() if axes is None else axes
