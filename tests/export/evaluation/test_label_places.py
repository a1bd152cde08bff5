# SPDX-License-Identifier: Apache-2.0
"""Labels of points: none lies on another, and each is near to its point."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from export.evaluation.label_places import name_points, place_labels

POINTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=25)


@given(POINTS, st.data())
def test_place_labels_of_any_points_lie_apart_and_inside(points: list[tuple[int, int]], data: st.DataObject) -> None:
    sizes = [(data.draw(st.floats(5, 120)), data.draw(st.floats(5, 12))) for _ in points]
    places = place_labels(points, sizes, right=360)
    boxes = [(x, y - h / 2, x + w, y + h / 2) for (x, y), (w, h) in zip(places, sizes, strict=True)]
    for a, b in combinations(boxes, 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
    assert all(box[2] <= 360 for box in boxes)
    assert all(box[1] >= min(0, y - h / 2) for box, (_, y), (_, h) in zip(boxes, points, sizes, strict=True))


def test_place_labels_with_room_stand_beside_their_points() -> None:
    assert place_labels([(10, 10), (10, 60)], [(50, 9)] * 2, right=360) == [(14, 10), (14, 60)]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20), st.integers(0, 2**32))
def test_name_points_in_a_chart_are_drawn_apart(points: list[tuple[float, float]], seed: int) -> None:
    """By the boxes that matplotlib draws: the sizes that the placing reckons with are not too small."""
    rng = np.random.default_rng(seed)
    words = ["under exposure 5", "occlusion 3", "mud 1", "dead lines 3", "sensor noise 5"]
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-0.03, 1.12), ylim=(-0.03, 1.03), xlabel="share of the frames that hurt", ylabel="share flagged")
    name_points(axes, {f"{words[rng.integers(5)]} {i}": point for i, point in enumerate(points)})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    assert len(labels) == len(points)
    for label in labels:
        label.update_positions(canvas.get_renderer())  # type: ignore[no-untyped-call]
    boxes = [Text.get_window_extent(label) for label in labels]
    for a, b in combinations(boxes, 2):
        assert a.x0 >= b.x1 - 1 or b.x0 >= a.x1 - 1 or a.y0 >= b.y1 - 1 or b.y0 >= a.y1 - 1
