# SPDX-License-Identifier: Apache-2.0
"""The example that judges objects on the road alone counts what is found and what is false."""

import numpy as np

from examples.judge_object_region import Counts, count_pasted, pasted_counts, told_cells
from lsood_runtime import UnknownObject
from lsood_runtime._tiles.frame_edges import TileEdges, even_edges
from lsood_runtime.offline import Answers


def test_pasted_objects_are_found_where_told_cells_lie_under_them_and_others_are_false() -> None:
    edges = TileEdges(even_edges(6, 60), even_edges(8, 80), 60, 80)
    road, cover, above = np.zeros((6, 8), bool), np.zeros((6, 8)), np.zeros((6, 8), bool)
    road[5] = True
    cover[4, 1], cover[0, 4:6], cover[4, 6], cover[1, 1] = 0.9, 0.8, 1, 0.3
    above[4, 1] = above[4, 2] = above[0, 7] = above[1, 1] = True
    boxes = ((10, 40, 20, 10), (70, 0, 10, 10), (10, 10, 10, 10))
    told = told_cells(
        Answers(objects=tuple(UnknownObject(*box, 0.1, 5.0, None, None, "") for box in boxes)), above, edges
    )
    assert [np.argwhere(cells).tolist() for cells in told] == [[[4, 1], [4, 2]], [[0, 7]], [[1, 1]]]
    counts = Counts()
    count_pasted(counts, told, cover, road)
    assert pasted_counts(cover, road) == (2, 1)
    # of the two by the road one is found; the edge of an object is neither found nor false
    assert (counts.found_on_road, counts.found_elsewhere, counts.false_objects) == (1, 0, 1)
