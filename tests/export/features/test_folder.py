# SPDX-License-Identifier: Apache-2.0
"""Features in a folder: written in any order, read by blocks, refused where they are of something else."""

import dataclasses
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.errors import UsageError
from export.features import folder as folder_module
from export.features.files import open_features
from export.features.folder import FeatureFolder, FolderContents
from export.features.frames import Features
from export.features.key import FeatureKey
from export.features.rows import RowBlocks, SelectedRows

ENTROPY, LAYER = FeatureKey.entropy(), FeatureKey.moments("a/b")


def contents(count: int, chunk: int = 4) -> FolderContents:
    return FolderContents("digest", "{}", count, "frames", chunk)


def features(count: int, start: int = 0) -> Features:
    numbers = np.arange(start, start + count)
    rng = np.random.default_rng(0)
    values = {key: rng.normal(size=(start + count, width))[start:].astype(np.float32) for key, width in WIDTHS.items()}
    return Features(np.array([f"{i}.png" for i in numbers]), numbers.astype(np.float64), values)


WIDTHS = {ENTROPY: 3, LAYER: 5}


def part(whole: Features, span: range) -> Features:
    indices = list(span)
    return Features(
        whole.names[indices], whole.score[indices], {key: rows[indices] for key, rows in whole.values.items()}
    )


def write(path: Path, count: int, order: list[int] | None = None) -> tuple[FeatureFolder, Features]:
    folder, whole = FeatureFolder.begin(path, contents(count)), features(count)
    for number in order if order is not None else folder.missing:
        folder.write(number, part(whole, folder.spans[number]))
    return folder, whole


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.randoms(use_true_random=False), st.data())
def test_feature_folder_written_in_any_order_gives_any_rows(
    tmp_path_factory: pytest.TempPathFactory, count: int, random: Random, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("folder") / "features"
    order = list(range(-(-count // 4)))
    random.shuffle(order)
    _, whole = write(path, count, order)
    table = open_features([path], "digest")
    assert list(table.names) == whole.names.tolist()
    indices = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=40)), np.int64)
    for key in WIDTHS:
        rows = table.values[key]
        assert rows.shape == whole.values[key].shape
        np.testing.assert_array_equal(rows[indices], whole.values[key][indices])
        np.testing.assert_array_equal(
            SelectedRows(SelectedRows(rows, indices), indices % len(indices))[:],
            (whole.values[key][indices][indices % len(indices)]),
        )
    blocks = RowBlocks([table.values[LAYER], table.values[ENTROPY]])
    expected = np.concatenate([whole.values[LAYER], whole.values[ENTROPY]], axis=1)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), expected.astype(np.float64))
    np.testing.assert_array_equal(np.asarray(blocks.changed(np.negative)), -expected.astype(np.float64))


@pytest.mark.parametrize("kept", [0, 100, 2**20])
def test_feature_folder_keeps_no_more_in_memory_than_it_may_and_reads_what_has_changed(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "KEPT", kept)
    loads: list[object] = []
    load = np.load

    def counted(*args: Any, **options: Any) -> Any:
        loads.append(args)
        return load(*args, **options)

    monkeypatch.setattr(np, "load", counted)
    folder, whole = write(tmp_path / "features", 10)
    rows = folder.rows()[ENTROPY]
    loads.clear()
    for _ in range(2):
        np.testing.assert_array_equal(rows[:], whole.values[ENTROPY])
    assert len(loads) == {0: 6, 100: 4, 2**20: 3}[kept]  # files of 48, 48 and 24 bytes
    assert sum(array.nbytes for _, array in folder._kept.values()) <= kept
    folder.write(1, part(features(20), range(14, 18)))
    np.testing.assert_array_equal(rows[:][4:8], features(20).values[ENTROPY][14:18])


def test_feature_folder_that_is_begun_again_lacks_what_was_not_written(tmp_path: Path) -> None:
    write(tmp_path / "features", 10, [2, 0])
    with pytest.raises(UsageError, match=r"features of all 10 frames in .* 1 of 3 files are missing: run the command"):
        open_features([tmp_path / "features"], "digest")
    again = FeatureFolder.begin(tmp_path / "features", contents(10))
    assert again.missing == [1]
    again.write(1, part(features(10), again.spans[1]))
    np.testing.assert_array_equal(
        open_features([tmp_path / "features"], "digest").values[ENTROPY][:], features(10).values[ENTROPY]
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("network_sha256", "other"), ("settings", "[]"), ("frames", 11), ("frames_sha256", "other"), ("chunk", 5)],
)
def test_feature_folder_of_something_else_is_refused(tmp_path: Path, field: str, value: object) -> None:
    write(tmp_path / "features", 10)
    with pytest.raises(UsageError, match=f"it differs in {field}: remove it"):
        FeatureFolder.begin(
            tmp_path / "features", FolderContents(**(dataclasses.asdict(contents(10)) | {field: value}))
        )


def test_feature_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="it holds other files"):
        FeatureFolder.begin(tmp_path / "full", contents(3))
    with pytest.raises(UsageError, match=r"expected to write features into .*: choose another folder"):
        FeatureFolder.begin(tmp_path / "no" / "features", contents(3))
    with pytest.raises(UsageError, match="expected a folder of features with"):
        open_features([tmp_path / "full"], "digest")
    folder, _ = write(tmp_path / "features", 10)
    with pytest.raises(UsageError, match="is of another: measure them again"):
        open_features([folder.path], "other")
    with pytest.raises(UsageError, match=r"0.png is there twice"):
        open_features([folder.path, folder.path], "digest")
    damaged = folder.path / "000001.npz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(UsageError, match=r"cannot read .*000001.npz .*: remove it"):
        open_features([folder.path], "digest")


def test_folders_of_features_are_joined_in_the_order_given(tmp_path: Path) -> None:
    first, second = FeatureFolder.begin(tmp_path / "a", contents(6)), FeatureFolder.begin(tmp_path / "b", contents(5))
    for folder, start in ((first, 0), (second, 6)):
        for number in folder.missing:
            span = folder.spans[number]
            folder.write(number, features(len(span), start + span.start))
    table = open_features([first.path, second.path], "digest")
    assert list(table.names) == [f"{i}.png" for i in range(11)]
    assert table.values[LAYER].shape == (11, 5)
    rows = table.values[LAYER][np.array([10, 0, 6, 5])]
    assert rows.shape == (4, 5)
    np.testing.assert_array_equal(rows[1], first.in_memory().values[LAYER][0])
    np.testing.assert_array_equal(rows[2], second.in_memory().values[LAYER][0])
    np.testing.assert_array_equal(rows[0], second.in_memory().values[LAYER][4])
