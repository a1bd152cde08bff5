# SPDX-License-Identifier: Apache-2.0
"""Maps judged by masks against a judge that spreads each map over the pixels of its frame and looks at every pixel."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from export.evaluation.component_metrics import Components
from export.evaluation.mask_judge import MaskJudge, best_maps, most_false
from export.frames.masks import MaskValues
from lsood_runtime.offline import TileEdges

EIGHT = np.ones((3, 3))


def edges_of(down: list[float], across: list[float], height: int, width: int) -> TileEdges:
    return TileEdges(np.array(down, float), np.array(across, float), height, width)


def spread(values: NDArray[np.generic], edges: TileEdges) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """The map over the pixels of the frame, and which pixels it covers, pixel by pixel."""
    out, seen = np.zeros((edges.height, edges.width), values.dtype), np.zeros((edges.height, edges.width), bool)
    for y, x in np.ndindex(out.shape):
        for row, column in np.ndindex(values.shape):
            inside = edges.down[row] <= y + 0.5 < edges.down[row + 1]
            if inside and edges.across[column] <= x + 0.5 < edges.across[column + 1]:
                out[y, x], seen[y, x] = values[row, column], True
    return out, seen


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), cropped=st.booleans(), smallest=st.integers(1, 3))
def test_maps_judged_by_masks_have_the_figures_of_their_pixels(
    seed: int, cropped: bool, smallest: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("masks")
    edges = (
        edges_of([2, 4, 6, 9, 9], [1, 3, 6, 9], 10, 12)
        if cropped
        else edges_of([0, 3, 6, 9, 10], [0, 4, 8, 12], 10, 12)
    )
    pixels: list[NDArray[np.float32]] = []
    kinds: list[NDArray[np.bool_]] = []
    parts, files = [], {}
    maps = {}
    for name in ("a", "b", "c"):
        mask = random.choice([0, 1, 255], (10, 12), p=[0.7, 0.2, 0.1]).astype(np.uint8)
        files[name] = folder / f"{name}.png"
        Image.fromarray(mask).save(files[name])
        maps[name] = random.integers(-2, 6, (4, 3)).astype(np.float32)
        values, seen = spread(maps[name], edges)
        counted = seen & (mask != 255)
        pixels.append(values[counted].astype(np.float32))
        kinds.append(mask[counted] == 1)
        shown = np.outer(np.diff(edges.down) > 0, np.diff(edges.across) > 0)
        labels, count = ndimage.label((maps[name] > 2.5) & shown, EIGHT)
        large = [i for i in range(1, count + 1) if (labels == i).sum() >= smallest]
        found, _ = spread(np.isin(labels, large), edges)
        pixels_of_cell = seen.sum() / shown.sum()
        void = (mask == 255) | ~seen
        parts.append(Components.of_frame(mask == 1, found.astype(bool), void, smallest * pixels_of_cell))
    judge = MaskJudge(files, MaskValues(), edges, 2.5, smallest)
    assert judge.figures() == ()
    for place, (name, values) in enumerate(maps.items()):
        judge.judge("set", place, Path(f"frames/{name}.jpg"), values)
    judge.judge("set", 3, Path("frames/other.jpg"), maps["a"])
    judge.judge("others", 0, Path("b.jpg"), maps["b"])
    figures, others = judge.figures()
    assert (figures.set_name, others.set_name, len(others.frames)) == ("set", "others", 1)
    assert [frame.place for frame in figures.frames] == [0, 1, 2]
    assert [frame.name for frame in figures.frames] == [f"frames/{name}.jpg" for name in maps]
    kind, value = np.concatenate(kinds), np.concatenate(pixels)
    assert figures.pixels is not None
    assert figures.pixels.average_precision == pytest.approx(average_precision_score(kind, value))
    assert figures.pixels.auroc == pytest.approx(roc_auc_score(kind, value))
    assert figures.pixels.unknown_share == pytest.approx(kind.mean())
    for frame, own_kind, own_value, components in zip(figures.frames, kinds, pixels, parts, strict=True):
        assert frame.average_precision == pytest.approx(average_precision_score(own_kind, own_value))
        np.testing.assert_array_equal(frame.components.siou, components.siou)
        np.testing.assert_array_equal(frame.components.ppv, components.ppv)
    assert figures.objects == sum(len(each.siou) for each in parts)
    assert figures.caught == sum((each.siou > 0).sum() for each in parts)
    assert figures.false_objects == sum((each.ppv == 0).sum() for each in parts)
    assert figures.asdict()["mean_f1"] == Components.of_frames(parts).mean_f1


def test_frames_are_ranked_by_precision_and_by_false_objects(tmp_path: Path) -> None:
    edges = edges_of([0, 1, 2], [0, 1, 2, 3], 2, 3)
    maps = {
        "right": [[9, 0, 0], [0, 0, 0]],
        "half": [[9, 0, 9], [0, 0, 0]],
        "wrong": [[0, 0, 9], [0, 0, 0]],
        "clean": [[9, 0, 9], [0, 0, 0]],
    }
    for name in maps:
        mask = np.zeros((2, 3), np.uint8)
        mask[0, 0] = name != "clean"
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    judge = MaskJudge({name: tmp_path / f"{name}.png" for name in maps}, MaskValues(), edges, 5, 1)
    for place, (name, values) in enumerate(maps.items()):
        judge.judge("set", place, Path(name), np.array(values, np.float32))
    (figures,) = judge.figures()
    assert [frame.name for frame in best_maps(figures.frames)] == ["right", "half", "wrong"]
    assert [(frame.name, frame.false_objects) for frame in most_false(figures.frames)] == [
        ("clean", 2),
        ("half", 1),
        ("wrong", 1),
    ]
    assert (figures.objects, figures.caught, figures.false_objects) == (3, 2, 4)


def test_rim_of_a_found_object_beyond_the_void_border_of_the_unknown_one_is_no_false_object(tmp_path: Path) -> None:
    edges = edges_of(list(range(0, 25, 4)), list(range(0, 25, 4)), 24, 24)
    mask, values = np.zeros((24, 24), np.uint8), np.zeros((6, 6), np.float32)
    mask[7:17, 7:17], mask[8:16, 8:16] = 255, 1
    values[1:5, 1:5] = 9  # one cell more than the unknown object on each side: 156 pixels beyond the void border
    Image.fromarray(mask).save(tmp_path / "a.png")
    for smallest, false in ((9, 1), (10, 0)):  # 144 and 160 pixels
        judge = MaskJudge({"a": tmp_path / "a.png"}, MaskValues(), edges, 5, smallest)
        judge.judge("set", 0, Path("a"), values)
        (figures,) = judge.figures()
        assert (figures.objects, figures.caught, figures.false_objects) == (1, 1, false)
        assert figures.components.mean_siou == 1
