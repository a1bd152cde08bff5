# SPDX-License-Identifier: Apache-2.0
"""What the figures draw, read back from their axes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from export.detectors.kde_classifier import KDEClassifier
from export.errors import UsageError
from export.evaluation.plots import plot_roc_ood_detector, plot_samples_pacmap, plot_score_histogram
from export.guide.results import get_ood_detector_results


def test_plot_roc_of_a_results_table_draws_the_curve_of_every_row() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 2)), np.repeat([0, 1], 40)
    X[y == 1] += 1
    detectors = {name: KDEClassifier(bandwidth).fit(X, y) for name, bandwidth in (("narrow", 0.3), ("wide", 3.0))}
    table = pd.concat([get_ood_detector_results(name, detector, X, y) for name, detector in detectors.items()])
    figure = plot_roc_ood_detector(table, legend_title="shift", plot_title="Cityscapes")
    (axes,) = figure.axes
    *curves, diagonal = axes.get_lines()
    for line, (name, detector) in zip(curves, detectors.items(), strict=True):
        scores = detector.pred_prob(X)[:, 1]
        fpr, tpr, _ = roc_curve(y, scores, drop_intermediate=False)
        np.testing.assert_allclose(np.asarray(line.get_xdata()), fpr)
        np.testing.assert_allclose(np.asarray(line.get_ydata()), tpr)
        assert line.get_label() == f"{name}, AUROC={roc_auc_score(y, scores):.4f}"
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
    assert axes.get_title() == "Cityscapes"
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "shift"
    assert [text.get_text().split(",")[0] for text in legend.get_texts()] == ["narrow", "wide"]


def test_plot_histogram_of_two_sides_draws_densities_over_the_same_bins() -> None:
    rng = np.random.default_rng(1)
    ind, ood = rng.normal(size=300), rng.normal(4, 2, size=100)
    figure = plot_score_histogram(ind, ood, threshold=1.5, bins=20, title="scores")
    (axes,) = figure.axes
    edges = np.linspace(min(ind.min(), ood.min()), max(ind.max(), ood.max()), 21)
    assert len(axes.containers) == 2
    for container, scores in zip(axes.containers, (ind, ood), strict=True):
        heights = [bar.get_height() for bar in container]
        np.testing.assert_allclose(heights, np.histogram(scores, edges, density=True)[0])
        np.testing.assert_allclose([bar.get_x() for bar in container], edges[:-1], atol=1e-9)
    (line,) = axes.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), [1.5, 1.5])


def test_plot_histogram_without_a_threshold_has_no_line() -> None:
    assert not plot_score_histogram([1.0, 2.0], [3.0]).axes[0].get_lines()


def test_plots_with_given_axes_draw_on_them() -> None:
    left, right = Figure().subplots(1, 2)
    assert plot_score_histogram([1.0, 2.0], [3.0], axes=right) is right.figure
    assert right.containers
    assert not left.containers


@pytest.mark.parametrize(("ind", "ood"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_plot_histogram_of_scores_that_are_not_finite_is_refused(ind: list[float], ood: list[float]) -> None:
    with pytest.raises(UsageError, match="finite scores on both sides"):
        plot_score_histogram(ind, ood)


def test_plot_pacmap_of_a_seed_scatters_every_row_and_repeats() -> None:
    pytest.importorskip("pacmap", reason="the projection needs the package pacmap")
    rng = np.random.default_rng(2)
    ind, ood = rng.normal(size=(60, 8)), rng.normal(12, 1, size=(40, 8))
    first, again, other = (plot_samples_pacmap(ind, ood, neighbors=10, title="t", seed=seed) for seed in (1, 1, 2))

    def points(figure: Figure) -> list[np.ndarray]:
        return [np.asarray(cloud.get_offsets()) for cloud in figure.axes[0].collections]

    near, far = points(first)
    assert (len(near), len(far)) == (60, 40)
    gap = np.linalg.norm(near.mean(axis=0) - far.mean(axis=0))
    assert gap > 2 * max(near.std(axis=0).max(), far.std(axis=0).max())  # two clouds stay two clouds
    for here, there in zip(points(first), points(again), strict=True):
        np.testing.assert_array_equal(here, there)
    assert not np.array_equal(points(first)[0], points(other)[0])
    clouds = first.axes[0].collections
    assert [cloud.get_label() for cloud in clouds] == ["In-Distribution", "Out-of-Distribution"]
    np.testing.assert_allclose(np.asarray(clouds[0].get_facecolor())[0], to_rgba("tab:blue"))
    assert first.axes[0].get_title() == "t"


@pytest.mark.slow
@pytest.mark.parametrize("rows", [30, 400])
def test_plot_pacmap_of_one_thread_is_that_of_several(rows: int) -> None:
    pacmap = pytest.importorskip("pacmap", reason="the projection needs the package pacmap")
    import numba

    rng = np.random.default_rng(rows)
    ind, ood = rng.normal(size=(rows // 2, 16)), rng.normal(1, 1, size=(rows - rows // 2, 16))
    drawn = np.vstack([cloud.get_offsets() for cloud in plot_samples_pacmap(ind, ood).axes[0].collections])
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, before))
    try:
        embedding = pacmap.PaCMAP(n_components=2, n_neighbors=25, MN_ratio=0.5, FP_ratio=2.0, random_state=0)
        plane = embedding.fit_transform(np.vstack([ind, ood]), init="pca")
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(drawn, plane)


def test_plot_pacmap_runs_in_one_thread_and_puts_the_number_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pacmap = pytest.importorskip("pacmap", reason="the projection needs the package pacmap")
    import numba

    before, within = numba.get_num_threads(), []

    def fails(*_: object, **__: object) -> None:
        within.append(numba.get_num_threads())
        raise MemoryError

    monkeypatch.setattr(pacmap.PaCMAP, "fit_transform", fails)
    with pytest.raises(MemoryError):
        plot_samples_pacmap(np.zeros((20, 3)), np.ones((20, 3)))
    assert (within, numba.get_num_threads()) == ([1], before)


@pytest.mark.parametrize(
    ("ind", "ood"), [((5, 3), (4, 3)), ((20, 3), (20, 4)), ((20,), (20, 4))], ids=["few", "widths", "rank"]
)
def test_plot_pacmap_of_too_few_rows_is_refused(ind: tuple[int, ...], ood: tuple[int, ...]) -> None:
    pytest.importorskip("pacmap", reason="the projection needs the package pacmap")
    with pytest.raises(UsageError, match="at least 10 rows of one width"):
        plot_samples_pacmap(np.zeros(ind), np.zeros(ood))


def test_plot_pacmap_without_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pacmap", None)
    with pytest.raises(UsageError, match="pip install pacmap"):
        plot_samples_pacmap(np.zeros((20, 3)), np.zeros((20, 3)))


def test_plots_in_a_new_process_load_neither_pyplot_nor_a_display() -> None:
    code = (
        "import sys; from export.evaluation.plots import plot_score_histogram; plot_score_histogram([1.0, 2.0], [3.0]);"
        "assert 'matplotlib.figure' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
