# SPDX-License-Identifier: Apache-2.0
"""Maps judged by masks in an evaluation: sets, figures, sentences and the section of the report, over a map that is known."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.anomalies.frame_set import FrameSource
from export.cli import evaluate as command
from export.cli.flags import options_from
from export.errors import UsageError
from export.evaluation.evaluate import evaluate
from export.evaluation.frame_sources import check_masks_apart
from export.evaluation.interval import without_interval
from export.evaluation.mask_judge import MaskJudge, most_false
from export.evaluation.mask_section import TITLE, mask_section
from export.evaluation.object_rate import ObjectRate, object_rate
from export.evaluation.object_summary import object_sentences
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation
from export.evaluation.scored_sets import FrameSet, SetScorer
from export.evaluation.set_drives import SetDrives
from export.evaluation.shown_masks import GROUPS, ShownMask, shown_masks
from export.features.frames import FrameFeatures
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.frames.masks import MaskValues
from lsood_runtime.offline import Answers, TileEdges

HEIGHT, WIDTH = 24, 48
EDGES = TileEdges(np.linspace(0, HEIGHT, 7), np.linspace(0, WIDTH, 13), HEIGHT, WIDTH)
LIMIT = 5.0


class FakeGraphs:
    """A bundle whose anomaly map is the red channel of a frame, at every fourth pixel."""

    manifest = SimpleNamespace(input=SimpleNamespace(channels="rgb"), segmentation=SimpleNamespace(num_classes=None))

    def with_maps(self, frame: NDArray[np.uint8]) -> tuple[FrameFeatures, dict[FeatureKey, NDArray[np.float32]]]:
        return self(frame), {}

    def __call__(self, frame: NDArray[np.uint8]) -> FrameFeatures:
        values = frame[::4, ::4, 0].astype(np.float32)
        answers = Answers(anomaly_map=None if frame[0, 0, 1] else values, object_words="none")
        return FrameFeatures(
            float(frame.mean()), {FeatureKey.entropy(): np.zeros(3, np.float32)}, None, answers=answers
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten frames: in the first eight is an object of which the map shows a part, in the last two a false one."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "masks").mkdir()
    for i in range(10):
        frame, mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        if i < 8:
            mask[4:12, 8:24], frame[4:12, 8 : 12 + i] = 1, (9, 0, 0)
        else:
            frame[16:20, 40:44] = (9, 0, 0)
        Image.fromarray(frame).save(tmp_path / "frames" / f"f{i}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"f{i}.png")
    return tmp_path


def judge_of(folder: Path) -> MaskJudge:
    files = {path.stem: path for path in (folder / "masks").glob("*.png")}
    return MaskJudge(files, MaskValues(), EDGES, LIMIT, 1)


def scored(folder: Path, judge: MaskJudge, **source: Any) -> FrameSet:
    files = FrameFiles([folder / "frames"])
    return SetScorer(cast("Any", FakeGraphs()), judge=judge)(
        FrameSource("things", files, tuple(range(len(files))), **source)
    )


def test_set_with_masks_is_judged_by_its_maps_and_keeps_none_of_them(folder: Path) -> None:
    judge = judge_of(folder)
    frames = scored(folder, judge)
    assert all(answers.anomaly_map is None and answers.object_words == "none" for answers in frames.answers)
    (figures,) = judge.figures()
    assert (figures.set_name, len(figures.frames), figures.objects, figures.caught) == ("things", 10, 8, 8)
    assert figures.false_objects == 2
    wide = [4, 8, 8, 8, 8, 12, 12, 12]  # pixels of each object, of 16, whose cells read a pixel of it
    assert figures.components.mean_siou == pytest.approx(np.mean(wide) / 16)
    assert [frame.place for frame in most_false(figures.frames)] == [8, 9]


def test_set_of_degraded_frames_is_not_judged(folder: Path) -> None:
    judge = judge_of(folder)
    assert len(scored(folder, judge, kind="fog", severity=1)) == 10
    assert judge.figures() == ()


def test_set_of_which_one_frame_has_no_mask_is_refused(folder: Path) -> None:
    (folder / "masks" / "f3.png").unlink()
    with pytest.raises(
        UsageError, match=r"expected a mask for every frame of things, f3\.png has none: add it, or leave"
    ):
        scored(folder, judge_of(folder))


def test_frame_whose_map_is_unknown_is_refused(folder: Path) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 9, np.uint8)).save(folder / "frames" / "f3.png")
    with pytest.raises(
        UsageError, match=r"expected a finite anomaly map of every frame, .*f3\.png \(things\) has none"
    ):
        scored(folder, judge_of(folder))


@pytest.mark.parametrize("masked", [True, False])
def test_rate_of_frames_with_objects_counts_apart_what_a_mask_holds_and_what_is_unknown(
    folder: Path, masked: bool
) -> None:
    judge = judge_of(folder)
    frames = scored(folder, judge)
    counts = [1, 2, 0, 0, 0, 0, 0, None, None, 3]  # eight masks hold an object
    told = tuple(Answers(object_count=count, object_words="told") for count in counts)
    rate = object_rate(
        replace(frames, answers=told), SetDrives(np.zeros(10, np.int64)), judge.figures() if masked else ()
    )
    assert rate is not None
    assert rate.share is not None
    assert rate.share.value == pytest.approx(1 / 1 if masked else 3 / 8)
    assert (rate.frames, rate.holding, rate.unknown) == ((1, 8, 1) if masked else (8, 0, 2))
    assert rate.frames + rate.holding + rate.unknown == 10
    unmapped = replace(frames, answers=tuple(Answers() for _ in range(10)))
    assert object_rate(unmapped, SetDrives(np.zeros(10, np.int64)), ()) is None
    unknown = replace(frames, answers=tuple(Answers(object_words="unknown") for _ in range(10)))
    nothing = object_rate(unknown, SetDrives(np.zeros(10, np.int64)), ())
    assert nothing == ObjectRate(None, 0, 0, 10)


def shown_of(folder: Path) -> tuple[MaskJudge, tuple[ShownMask, ...]]:
    judge = judge_of(folder)
    sets = [scored(folder, judge)]
    return judge, shown_masks(cast("Any", FakeGraphs()), sets, judge.figures(), judge)


def test_shown_frames_are_the_best_the_worst_and_those_with_false_objects(folder: Path) -> None:
    _, shown = shown_of(folder)
    groups = {group: [frame for frame in shown if frame.group == group] for group in GROUPS}
    assert [frame.frame_name for frame in groups[GROUPS[2]]] == ["f8.png", "f9.png"]
    best, worst = ([frame.average_precision or 0.0 for frame in groups[group]] for group in GROUPS[:2])
    assert len(best) == len(worst) == 3
    assert min(best) >= max(worst)
    assert best == sorted(best, reverse=True)
    assert worst == sorted(worst)
    assert len({frame.frame_name for frame in (*groups[GROUPS[0]], *groups[GROUPS[1]])}) == 6
    for frame in shown:
        raw = np.asarray(Image.open(folder / "frames" / frame.frame_name))
        mask = np.asarray(Image.open(folder / "masks" / frame.frame_name)) == 1
        changed = (frame.image != raw).any(axis=-1)
        assert changed.any() == mask.any()
        assert not (changed & mask).any(), "the unknown pixels are seen as they are"
        assert (frame.mapped != raw).any()


def result_of(folder: Path, rate: ObjectRate | None = None) -> Evaluation:
    judge, shown = shown_of(folder)
    record = SimpleNamespace(false_alarm_rate=0.01, guarantee="drives")
    manifest = SimpleNamespace(answers=SimpleNamespace(map=record))
    return cast(
        "Evaluation",
        SimpleNamespace(manifest=manifest, object_rate=rate, masks=judge.figures(), shown_masks=shown),
    )


def test_sentences_tell_false_objects_and_the_figures_of_masks(folder: Path) -> None:
    first, second = object_sentences(result_of(folder, ObjectRate(without_interval(0.02), 50, 0, 0)))
    assert first == (
        "Unknown objects: 2.0% of 50 in-distribution frames show one, promised is that at most 1% of frames of a new drive "
        "do."
    )
    assert re.match(
        r"Masks of things, 10 frames: average precision 0\.\d+, 0\.\d+ by chance, .*; 8 of 8 objects found in part or "
        r"whole, 2 false objects; sIoU 0\.\d+, PPV 0\.\d+, mean F1 0\.\d+\.",
        second,
    )


def test_sentence_of_false_objects_tells_how_many_frames_it_leaves_out_and_why(folder: Path) -> None:
    rate = ObjectRate(without_interval(0.0), 2, 8, 1)
    assert object_sentences(result_of(folder, rate))[0].endswith(
        "of a new drive do; left out: 8 frames whose mask holds an object and 1 frame whose map is unknown."
    )
    assert object_sentences(result_of(folder, ObjectRate(None, 0, 0, 3)))[0] == (
        "Unknown objects: nothing is known of the frames in distribution; left out: 3 frames whose map is unknown."
    )


def test_section_has_a_row_a_set_and_a_gallery_a_group(folder: Path) -> None:
    result = result_of(folder, ObjectRate(without_interval(0.02), 50, 0, 0))
    section = mask_section(result)
    assert section.startswith(f"<section><h2>{TITLE}</h2>")
    assert section.count('<th scope="row">things</th>') == 1
    assert [name.lower() for name in re.findall("<h3>(.*?)</h3>", section)] == list(GROUPS)
    assert section.count("<img") == 2 * len(result.shown_masks) == section.count('<img alt="')
    nothing = cast("Evaluation", SimpleNamespace(manifest=result.manifest, object_rate=None, masks=(), shown_masks=()))
    assert mask_section(nothing) == ""


def test_figures_of_masks_are_ready_for_json(folder: Path) -> None:
    (figures,) = judge_figures = result_of(folder).masks
    values = json.loads(json.dumps(figures.asdict(), allow_nan=False))
    assert values["set"] == "things"
    assert values["objects"] == 8
    assert 0 < values["unknown_share"] < values["average_precision"] < 1
    without = replace(figures, frames=figures.frames[8:], pixels=None)
    assert without.asdict()["siou"] is None
    assert without.asdict()["mean_f1"] == 0, "two false objects and nothing to find"
    assert len(judge_figures) == 1


def test_masks_for_a_bundle_without_a_map_are_refused_with_a_remedy_that_works(bundle: Path, tmp_path: Path) -> None:
    for name, shape in (("day", (8, 8, 3)), ("masks", (8, 8))):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name / "a.png")
    with pytest.raises(
        UsageError, match=r"gives an anomaly map .* gives none: export it with --answers map, or drop --masks"
    ):
        evaluate(EvaluationOptions(bundle, (tmp_path / "day",), masks=(tmp_path / "masks",)))


def test_masks_and_their_numbers_are_taken_from_the_command_line() -> None:
    words = ["monitor", "--ind", "day", "--masks", "a", "b", "--unknown-mask", "2", "3", "--known-mask", "0", "1"]
    options = options_from(command.build_parser().parse([*words, "--void-mask", "9"]), EvaluationOptions)
    assert options.masks == (Path("a"), Path("b"))
    assert (options.unknown_values, options.known_values, options.void_values) == ((2, 3), (0, 1), (9,))


@pytest.mark.parametrize("words", [["--unknown-mask", "255"], ["--known-mask", "0"], ["--void-mask", "9"]])
def test_numbers_of_masks_without_masks_are_refused(
    words: list[str], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    assert command.main([str(bundle), "--ind", str(tmp_path), *words]) == UsageError.exit_code
    assert re.search(
        r"expected masks with --unknown-mask, .* got none: name their folders by --masks", capsys.readouterr().err
    )


def source_of(folder: Path, name: str, **of_kind: Any) -> FrameSource:
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "0001.png")
    return FrameSource(name, FrameFiles([folder]), (0,), **of_kind)


def test_mask_that_frames_of_two_sets_would_be_compared_with_is_refused(tmp_path: Path) -> None:
    day, things = source_of(tmp_path / "day", "day"), source_of(tmp_path / "things", "things")
    with pytest.raises(
        UsageError,
        match=r"different names where masks are found by them, got .*day.*0001\.png and .*things.*one mask; give",
    ):
        check_masks_apart([day, things], {"0001"})
    check_masks_apart([day, things], {"0002"})
    check_masks_apart([day, FrameSource("fog 1", day.files, (0,), "fog", 1)], {"0001"})
