# SPDX-License-Identifier: Apache-2.0
"""The benchmark over published data sets, on small trees of them, against an evaluation of the same frames by hand."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from export.benchmark.options import BenchmarkOptions, split_choice
from export.benchmark.prepare import FrameFolders
from export.benchmark.run import all_others, run_benchmark
from export.cli import benchmark as command
from export.data.synthetic import SyntheticRoads
from export.datasets import LAYOUTS
from export.errors import UsageError
from export.reporter import SILENT
from lsood_runtime import OoDMonitor
from tests.conftest import FRAME_SIZE
from tests.published_sets import WRITERS, Tree

Run = Callable[..., int]


class Scenes(Tree):
    """A tree of drawn scenes, dark ones where asked for."""

    def __init__(self, root: Path, seed: int, size: tuple[int, int] = FRAME_SIZE, dark: float = 1.0) -> None:
        super().__init__(root, size, seed)
        self._scenes, self._next, self._dark = SyntheticRoads(20, *FRAME_SIZE, seed=seed), 0, dark

    def frame(self, path: str) -> None:
        pixels = (self._scenes[self._next % 20][0] * self._dark).astype(np.uint8)
        self._next += 1
        self._save(path, np.asarray(Image.fromarray(pixels).resize(self.size[::-1])))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four data sets of the camera's size, one of another, one without its labels, and a folder of something else."""
    root = tmp_path_factory.mktemp("published")
    idd_lite = Scenes(root / "idd20k_lite", seed=70)
    WRITERS["idd_lite"](idd_lite)
    for number in range(8):  # so that other scores can be fitted on this split
        idd_lite.frame(f"leftImg8bit/train/1/{number:06d}_image.jpg")
        idd_lite.label(f"gtFine/train/1/{number:06d}_label.png", [0])
    WRITERS["camvid"](Scenes(root / "CamVid", seed=71, dark=0.4))
    WRITERS["road_obstacle"](Scenes(root / "dataset_ObstacleTrack", seed=72))
    WRITERS["acdc"](Scenes(root / "acdc", seed=73, dark=0.6))
    WRITERS["muad"](Scenes(root / "muad", seed=74, size=(48, 70)))
    WRITERS["rugd"](Scenes(root / "rugd", seed=75))
    next((root / "rugd" / "RUGD_annotations" / "park-8").iterdir()).unlink()
    (root / "notes").mkdir()
    return root


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Run:
    def run(bundle: Path, *words: str) -> int:
        return command.main([str(bundle), "--root", str(root), "--out", str(tmp_path / "out"), "--quiet", *words])

    return run


def options(bundle: Path, root: Path, out: Path, **more: object) -> BenchmarkOptions:
    return BenchmarkOptions(bundle, root, out=out, **{"ind": "idd_lite", **more})  # type: ignore[arg-type]


def scores(bundle: Path, paths: list[Path]) -> list[float]:
    with OoDMonitor(bundle) as monitor:
        return [monitor.score(np.asarray(Image.open(path).convert("RGB"))) for path in paths]


def test_benchmark_of_what_is_there_has_the_figures_of_the_monitors_scores(
    answered: Path, root: Path, run: Run, tmp_path: Path
) -> None:
    assert run(answered, "--ind", "idd_lite", "--fit", "idd_lite:train") == 0
    got = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert [row["set"] for row in got["sets"]] == [
        *("camvid", "acdc fog", "acdc night", "acdc rain", "acdc snow", "road_obstacle")
    ]
    assert {row["name"]: row["missing"] for row in got["skipped"]} == {
        **dict.fromkeys(("cityscapes", "bdd100k", "idd", "woodscape", "road_anomaly"), True),
        **dict.fromkeys(("lost_and_found", "fishyscapes"), True),
        "muad": False,
        "rugd": False,
    }
    ind = scores(answered, sorted((root / "idd20k_lite/leftImg8bit/val").glob("*/*.jpg")))
    for row, pattern in zip(got["sets"][:2], ("CamVid/val/*.png", "acdc/rgb_anon/fog/val/*/*.png"), strict=True):
        ood = scores(answered, sorted(root.glob(pattern)))
        assert row["frames"] == len(ood) == 2
        assert row["auroc"] == pytest.approx(roc_auc_score([0] * len(ind) + [1] * len(ood), ind + ood))
        assert 0 <= row["picture_alone_auroc"] <= 1
    assert (got["ind"]["frames"], got["ind"]["drives"], got["ind"]["resized"]) == (4, 2, 0)
    assert got["evaluation"]["mean_auroc"] == pytest.approx(np.mean([row["auroc"] for row in got["sets"]]))


def test_benchmark_judges_the_map_by_the_masks_that_a_data_set_publishes(
    answered: Path, root: Path, tmp_path: Path
) -> None:
    result = run_benchmark(options(answered, root, tmp_path / "out", datasets=("road_obstacle",)))
    ((_, _, masks),) = result.rows()
    assert masks is not None
    folder = root / "dataset_ObstacleTrack"
    kinds, values = [], []
    with OoDMonitor(answered) as monitor:
        for path in sorted(folder.glob("images/validation*")):
            mask = np.asarray(Image.open(folder / f"labels_masks/{path.stem}_labels_semantic.png"))
            anomaly = monitor.assess(np.asarray(Image.open(path).convert("RGB"))).anomaly_map
            assert anomaly is not None
            spread = np.repeat(np.repeat(anomaly, len(mask) // len(anomaly), axis=0), len(mask) // len(anomaly), axis=1)
            kinds.append(mask[mask != 255] == 1)
            values.append(spread[mask != 255])
    kind, value = np.concatenate(kinds), np.concatenate(values)
    assert masks.pixels is not None
    assert masks.pixels.average_precision == pytest.approx(average_precision_score(kind, value), abs=2e-3)
    assert masks.pixels.auroc == pytest.approx(roc_auc_score(kind, value), abs=2e-3)
    assert result.masks is None


def test_page_of_a_benchmark_tells_figures_what_was_skipped_and_what_limits_them(
    answered: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--ind", "idd_lite", "--resize", "stretch", "--most", "2", "--out"]
    assert run(answered, *words[:-1]) == 0
    capsys.readouterr()
    page = (tmp_path / "out" / "benchmark.md").read_text()
    assert "In distribution: 2 frames of IDD-lite (val), 2 drives." in page
    assert "| muad \\* | 2 | 1 |" in page
    assert "bilinear with an antialiasing filter" in page
    assert "| `rugd` | expected a label RUGD_annotations/*/*.png for every frame" in page
    assert "Not there: `cityscapes`, `bdd100k`, `idd`," in page
    assert "Pixels of the anomaly map, by masks:" in page
    assert "No class map was compared with labels: the network has" in page
    assert "which `--fit` shows" in page
    assert (tmp_path / "out" / "benchmark.svg").read_text().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_labels_are_compared_where_classes_agree(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.benchmark.run._no_labels", lambda *_: None)
    for name, seed in (("idd_lite", 76), ("road_anomaly", 77)):
        WRITERS[name](Scenes(tmp_path / "data" / name, seed))
    result = run_benchmark(options(bundle, tmp_path / "data", tmp_path / "out"))
    assert result.evaluation.ind.mean_iou is not None
    assert result.sets[0].choice.layout.name == "road_anomaly"
    assert result.masks is not None
    assert result.evaluation.masks == ()
    assert result.evaluation.shifts[0].frames.mean_iou is None


def test_clear_frames_of_a_data_set_are_compared_with_its_own_weather_and_other_frames_are_not() -> None:
    for word, own in (("acdc:val_ref", True), ("acdc:train", False), ("cityscapes", False)):
        others = [choice.layout.name for choice in all_others(split_choice(word))]
        assert (word.partition(":")[0] in others) == own
        assert len(others) == len(LAYOUTS) - (not own)


@pytest.mark.parametrize("resize", ["stretch", "crop"])
@pytest.mark.parametrize("size", [(48, 70), (160, 200), (33, 160)])
def test_frames_and_labels_of_another_size_are_resized_alike(
    resize: str, size: tuple[int, int], tmp_path: Path
) -> None:
    tree = Tree(tmp_path / "data", size)
    tree.frame("images/10k/val/a-1.jpg")
    tree.label("labels/sem_seg/masks/val/a-1.png", [*range(19), 255])
    folders = FrameFolders(tmp_path, *FRAME_SIZE, resize, None)  # type: ignore[arg-type]
    (prepared,) = folders.add(split_choice("bdd100k"), tree.root, folders.labels, SILENT, by_part=True)
    (path,) = prepared.folder.iterdir()
    source = Image.open(tree.root / "images/10k/val/a-1.jpg")
    label = Image.open(tree.root / "labels/sem_seg/masks/val/a-1.png")
    box = (0.0, 0.0, float(size[1]), float(size[0]))
    if resize == "crop":  # the largest window of the camera's shape around the centre
        scale = min(size[0] / FRAME_SIZE[0], size[1] / FRAME_SIZE[1])
        rows, columns = FRAME_SIZE[0] * scale, FRAME_SIZE[1] * scale
        top, left = (size[0] - rows) / 2, (size[1] - columns) / 2
        box = (left, top, left + columns, top + rows)
    expected = source.resize(FRAME_SIZE[::-1], Image.Resampling.BILINEAR, box=box)
    np.testing.assert_allclose(np.asarray(Image.open(path), int), np.asarray(expected, int), atol=1)
    nearest = label.resize(FRAME_SIZE[::-1], Image.Resampling.NEAREST, box=box)
    written = np.asarray(Image.open(folders.labels / f"{path.stem}.png"))
    assert np.mean(written == np.asarray(nearest)) > 0.98
    assert (prepared.resized, prepared.frames) == (1, 1)


def test_frames_of_the_cameras_size_are_the_data_sets_own_files_with_their_drives(root: Path, tmp_path: Path) -> None:
    folders = FrameFolders(tmp_path, *FRAME_SIZE, None, None)
    sets = folders.add(split_choice("acdc"), root / "acdc", None, SILENT, by_part=True)
    assert [prepared.name for prepared in sets] == ["acdc fog", "acdc night", "acdc rain", "acdc snow"]
    links = [path for prepared in sets for path in prepared.folder.iterdir()]
    assert {path.resolve() for path in links} == set((root / "acdc/rgb_anon").glob("*/val/*/*.png"))
    with folders.write_drives().open(newline="") as file:
        drives = {row["frame"]: row["drive"] for row in csv.DictReader(file)}
    assert drives == {path.name: f"acdc {path.resolve().parent.name}" for path in links}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ind", "kitti"], "expected a data set among cityscapes, bdd100k,"),
        (["--ind", "acdc:fog"], "expected a split of ACDC, Adverse Conditions Dataset from train, val, test,"),
        (["--ind", "cityscapes"], "expected a folder cityscapes in "),
        (["--ind", "muad"], "expected frames of the camera's 80 x 160 (height x width), 2 of 2 of MUAD"),
        (["--ind", "rugd"], "expected a label RUGD_annotations/*/*.png for every frame"),
        (["--ind", "idd_lite", "--datasets", "camvid", "woodscape"], "expected a folder woodscape in "),
        (["--ind", "idd_lite", "--datasets", "muad"], "by --resize stretch or crop"),
        (["--ind", "idd_lite", "--fit", "idd_lite:val"], "expected other frames to fit on than idd_lite"),
        (
            ["--ind", "idd_lite", "--datasets", "idd_lite"],
            "expected other frames to compare with than idd_lite, which is in",
        ),
        (["--ind", "idd_lite", "--datasets", "camvid", "idd_lite:val"], "to compare with than idd_lite, which is in"),
        (
            ["--ind", "idd_lite", "--fit", "camvid", "--datasets", "acdc", "camvid"],
            "expected other frames to compare with than camvid, on which scores are fitted: leave it out",
        ),
        (["--ind", "idd_lite", "--datasets", "camvid", "acdc", "camvid:val"], "got camvid twice: name it once"),
    ],
)
def test_benchmark_that_cannot_be_done_ends_in_one_line_and_writes_nothing(
    bundle: Path, run: Run, words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bundle, *words) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert message in error
    assert list(tmp_path.iterdir()) == []


def test_benchmark_without_another_data_set_says_what_there_is(bundle: Path, tmp_path: Path) -> None:
    WRITERS["idd_lite"](Scenes(tmp_path / "data" / "idd_lite", seed=78))
    with pytest.raises(UsageError, match=r"expected a data set beside idd_lite .*, got folders idd_lite: unpack one"):
        run_benchmark(options(bundle, tmp_path / "data", tmp_path / "out"))
    with pytest.raises(UsageError, match="expected a folder of data sets, found none at"):
        run_benchmark(options(bundle, tmp_path / "none", tmp_path / "out"))


def test_folder_of_something_else_is_not_replaced(
    bundle: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("of mine")
    assert run(bundle, "--ind", "idd_lite") == 2
    assert "expected a benchmark or nothing at" in capsys.readouterr().err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "of mine"


def test_split_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path) -> None:
    tree = Scenes(tmp_path / "data", seed=79)
    WRITERS["road_obstacle"](tree)
    *_, last = sorted((tree.root / "labels_masks").glob("*_labels_semantic.png"))
    Image.open(last).resize((7, 7), Image.Resampling.NEAREST).save(last)
    (tmp_path / "work").mkdir()
    folders = FrameFolders(tmp_path / "work", *FRAME_SIZE, None, None)
    with pytest.raises(UsageError, match="a label has the size of its frame"):
        folders.add(split_choice("road_obstacle"), tree.root, folders.masks, SILENT, by_part=True)
    assert [path for path in folders.folder.rglob("*") if not path.is_dir()] == []
    assert (folders.masks.exists(), folders.drives) == (False, {})


def test_data_set_that_scores_are_fitted_on_is_not_judged_beside_others(
    bundle: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is judged is looked at, and not judged: the miniature sets are too small to fit scores on."""
    judged = []
    monkeypatch.setattr("export.benchmark.run.evaluate", lambda asked, _: judged.append(asked))
    result = run_benchmark(options(bundle, root, tmp_path / "out", fit="camvid"))
    assert "camvid" not in {prepared.choice.layout.name for prepared in result.sets}
    assert {each.name: each.reason for each in result.skipped}["camvid"] == "other scores are fitted on these frames"
    (asked,) = judged
    assert not any("camvid" in name for name in asked.ood)
