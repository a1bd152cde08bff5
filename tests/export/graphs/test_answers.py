# SPDX-License-Identifier: Apache-2.0
"""The graph of fitted answers against their numpy form, and what it makes of NaN, infinity, batches and far frames."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.answers import fit
from export.answers.fit import FittedAnswers, fit_answers, fit_places
from export.answers.rows import DegradedRows
from export.features.key import FeatureKey
from export.graphs.answers import answers_graph
from tests.cuda.kernels import KernelTable, off_cuda
from tests.export.answers.drawn_rows import TAP, WIDTHS, draw_rows
from tests.export.answers.drawn_tiles import GRID, TILE_WIDTHS, draw_tiles, train_little

BOTH = frozenset({"quality", "cause"})


def session_of(fitted: FittedAnswers) -> ort.InferenceSession:
    model = answers_graph(fitted, WIDTHS)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@cache
def fitted_once(seed: int) -> tuple[FittedAnswers, ort.InferenceSession]:
    """Answers of both kinds on drawn rows, and a session of their graph; shared: do not change them."""
    fitted = fit_answers(draw_rows(seed), BOTH, 0, (TAP,))
    return fitted, session_of(fitted)


def run(
    session: ort.InferenceSession, fitted: FittedAnswers, values: dict[FeatureKey, NDArray[np.float32]]
) -> dict[str, NDArray[np.float64]]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {str(key): values[key] for key in fitted.keys}), strict=True))


def scaled(rows: DegradedRows, factor: float) -> dict[FeatureKey, NDArray[np.float32]]:
    return {key: np.asarray(values * np.float32(factor), np.float32) for key, values in rows.values.items()}


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([BOTH, frozenset({"quality"}), frozenset({"cause"})]),
    st.sampled_from([0.0, 1.0, 30.0, 1e6]),
    st.booleans(),
)
def test_answers_graph_of_drawn_rows_equals_the_numpy_form(
    seed: int, which: frozenset[str], factor: float, segmented: bool
) -> None:
    which = which if segmented else frozenset({"cause"})
    fitted = fit_answers(draw_rows(seed, segmented=segmented), which, 0, (TAP,))
    values = scaled(draw_rows(seed ^ 1, 3), factor)
    outputs, expected = run(session_of(fitted), fitted, values), fitted.outputs(values)
    assert outputs.keys() == expected.keys() == fitted.record.shapes().keys()
    for name, numbers in expected.items():
        assert outputs[name].shape == numbers.shape
        assert outputs[name].dtype == np.float64
        np.testing.assert_allclose(outputs[name], numbers, rtol=1e-6, atol=1e-8, err_msg=name)
    if "quality" in outputs:
        middle, low, high = outputs["quality"].T
        assert ((low >= 0) & (low <= middle) & (middle <= high) & (high <= 1)).all()
    if "causes" in outputs:
        np.testing.assert_allclose(outputs["causes"].sum(axis=1), 1, atol=1e-12)
        assert ((outputs["severity"] >= 0) & (outputs["severity"] <= 5)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", WIDTHS, ids=str)
def test_answers_graph_of_a_feature_that_is_not_finite_gives_nan_in_that_row_alone(
    key: FeatureKey, value: float
) -> None:
    fitted, session = fitted_once(0)
    values = scaled(draw_rows(1, 2, 2), 1.0)
    before = run(session, fitted, values)
    values[key][2, -1] = value
    after, expected = run(session, fitted, values), fitted.outputs(values)
    assert fitted.cell_columns is not None
    assert fitted.far_columns is not None
    for name, numbers in after.items():
        np.testing.assert_array_equal(np.delete(numbers, 2, 0), np.delete(before[name], 2, 0))
        read = fitted.cell_columns.keys if name in ("causes", "severity") else fitted.far_columns.keys
        hit = key in read or name == "quality"
        assert np.isnan(numbers[2]).all() == hit, name
        np.testing.assert_array_equal(np.isnan(numbers), np.isnan(expected[name]))


@pytest.mark.parametrize("batch", [2, 3, 5, 8, 17])
def test_answers_graph_of_a_batch_gives_the_bits_of_single_frames(batch: int) -> None:
    fitted, session = fitted_once(2)
    values = {key: rows[:batch] for key, rows in scaled(draw_rows(3), 1.0).items()}
    together = run(session, fitted, values)
    for i in range(batch):
        alone = run(session, fitted, {key: rows[i : i + 1] for key, rows in values.items()})
        for name, numbers in together.items():
            np.testing.assert_array_equal(numbers[i], alone[name][0], err_msg=name)


def with_noisy_layers(rows: DegradedRows) -> DegradedRows:
    """The rows, whose layers before the tap are wide and say nothing of the cause."""
    rng = np.random.default_rng(len(rows))
    noise = {FeatureKey.moments(name): rng.normal(size=(len(rows), 60)) for name in ("layer1", "layer2")}
    return replace(rows, values={**rows.values, **{key: numbers.astype(np.float32) for key, numbers in noise.items()}})


def test_answers_graph_of_causes_that_are_told_of_the_picture_alone_tells_the_novelty_of_all_features() -> None:
    rows, new = with_noisy_layers(draw_rows(12)), with_noisy_layers(draw_rows(13, 1))
    fitted = fit_answers(rows, BOTH, 0, (TAP,))
    assert fitted.far_cells is not None
    assert fitted.far_columns is not None
    assert fitted.cells is not fitted.far_cells
    model = answers_graph(fitted, {key: numbers.shape[1] for key, numbers in rows.values.items()})
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = scaled(new, 1.0)
    together, expected = run(session, fitted, values), fitted.outputs(values)
    far = fitted.far_cells.novelty(fitted.far_columns(values))
    assert (expected["novelty"] >= far).all()
    assert (expected["novelty"] > far).any()
    for name, numbers in together.items():
        np.testing.assert_allclose(numbers, expected[name], rtol=1e-6, atol=1e-8, err_msg=name)
        for i in (0, 3, 7):
            alone = run(session, fitted, {key: rows[i : i + 1] for key, rows in values.items()})
            np.testing.assert_array_equal(numbers[i], alone[name][0], err_msg=name)
    values[FeatureKey.moments("layer2")][1, 0] = np.nan
    after = run(session, fitted, values)
    assert np.flatnonzero(np.isnan(after["novelty"])).tolist() == [1]
    assert np.flatnonzero(np.isnan(after["quality"][:, 0])).tolist() == [1]
    np.testing.assert_array_equal(after["causes"], together["causes"])
    assert off_cuda(model, KernelTable.read()) == []


def test_answers_graph_has_a_cuda_kernel_for_every_node() -> None:
    table = KernelTable.read()
    for seed, which in itertools.product((4, 5), (BOTH, frozenset({"cause"}))):
        assert off_cuda(answers_graph(fit_answers(draw_rows(seed), which, 0, (TAP,)), WIDTHS), table) == []


def test_answers_graph_of_wide_features_reads_some_of_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "CELL_COLUMNS", 5)
    monkeypatch.setattr(fit, "QUALITY_COLUMNS", 4)
    fitted = fit_answers(draw_rows(6), BOTH, 0, (TAP,))
    assert fitted.cell_columns is not None
    assert len(fitted.cell_columns.scale) == 15
    values = scaled(draw_rows(7, 2), 1.0)
    outputs = run(session_of(fitted), fitted, values)
    for name, numbers in fitted.outputs(values).items():
        np.testing.assert_allclose(outputs[name], numbers, rtol=1e-6, atol=1e-8, err_msg=name)
    assert off_cuda(answers_graph(fitted, WIDTHS), KernelTable.read()) == []


TILE_KEY = next(iter(TILE_WIDTHS))
WIDTHS_WITH_TILES = WIDTHS | {key: GRID[0] * GRID[1] * width for key, width in TILE_WIDTHS.items()}


def with_tiles(seed: int) -> tuple[FittedAnswers, dict[FeatureKey, NDArray[np.float32]]]:
    """Answers that tell tiles, and features of other frames."""
    with pytest.MonkeyPatch.context() as patch:
        train_little(patch)
        fitted = fit_answers(draw_rows(0), frozenset({"cause"}), 0, (TAP,), draw_tiles(seed))
    rows, tiles = draw_rows(1, 3), draw_tiles(seed ^ 1, 3)
    count = min(len(rows), len(tiles))
    return fitted, {key: values[:count] for key, values in {**rows.values, **tiles.values}.items()}


def session_with_tiles(fitted: FittedAnswers) -> ort.InferenceSession:
    model = answers_graph(fitted, WIDTHS_WITH_TILES)
    assert off_cuda(model, KernelTable.read()) == []
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 30.0, 1e6]))
def test_answers_graph_with_tiles_equals_the_numpy_form(seed: int, factor: float) -> None:
    fitted, values = with_tiles(seed)
    values |= {key: values[key] * np.float32(factor) for key in TILE_WIDTHS}
    outputs, expected = run(session_with_tiles(fitted), fitted, values), fitted.outputs(values)
    assert outputs.keys() == expected.keys() == fitted.record.shapes().keys()
    assert outputs["tiles"].shape == (len(values[TILE_KEY]), *GRID)
    np.testing.assert_allclose(outputs["tiles"], expected["tiles"], rtol=1e-6, atol=1e-8)
    assert (outputs["tiles"] >= 0).all()


def test_answers_graph_of_tiles_alone_gives_the_bits_of_the_graph_of_all_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every, values = with_tiles(3)
    train_little(monkeypatch)
    alone = fit_places(draw_tiles(3), None, 0)
    outputs = run(session_with_tiles(alone), alone, values)
    assert outputs.keys() == alone.outputs(values).keys() == alone.record.shapes().keys() == {"tiles"}
    np.testing.assert_array_equal(outputs["tiles"], run(session_with_tiles(every), every, values)["tiles"])
    assert alone.record.tiles == every.record.tiles


def test_answers_graph_with_tiles_gives_a_frame_the_bits_that_it_has_alone_and_nan_for_nan() -> None:
    fitted, values = with_tiles(7)
    session = session_with_tiles(fitted)
    together = run(session, fitted, values)["tiles"]
    for i in range(0, 17, 4):
        alone = run(session, fitted, {key: rows[i : i + 1] for key, rows in values.items()})["tiles"]
        np.testing.assert_array_equal(together[i], alone[0])
    for value in (np.nan, np.inf, -np.inf):
        broken = {key: rows.copy() for key, rows in values.items()}
        broken[TILE_KEY][2, 5] = value
        given = run(session, fitted, broken)
        assert np.isnan(given["tiles"][2]).all()
        assert np.isfinite(given["causes"]).all()
        np.testing.assert_array_equal(np.delete(given["tiles"], 2, 0), np.delete(together, 2, 0))
