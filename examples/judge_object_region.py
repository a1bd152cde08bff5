# SPDX-License-Identifier: Apache-2.0
"""Judge what --object-region road leaves out, on drives that no fit has seen: false objects, and objects that are found.

    python examples/judge_object_region.py BUNDLE --frames VAL/

The bundle is one that was exported with --answers map and --road-class. Each frame is judged clean and with objects of the
family that fits no map, 70 % of which have their centre on the road of the clean frame; at the limit of the bundle, and at
parts of it, where false objects are less rare. It prints a Markdown table for the whole frame and for the road. An object is
found where a cell that is told of, in the box of an object and above the limit, lies under it; it is on the road where the
clean frame shows road under it or beside it. What is told of and has no such cell is a false object.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from export.anomalies.cutouts import paste_objects
from export.calibration.cutout_frames import FREE, UNDER
from export.calibration.patched_rows import cover_of_tiles
from export.frames.files import FrameFiles
from lsood_runtime import Assessment, OoDMonitor
from lsood_runtime.offline import AnswerRule, Answers, MapRecord, TileEdges, map_edges

Cells = NDArray[np.bool_]
REGIONS, PARTS = ("frame", "road"), (1.0, 0.75, 0.5)
"""Regions that are compared; parts of the bundle's limit."""

_EIGHT = np.ones((3, 3))


@dataclass
class Counts:
    """What is told at one limit in one region, over all frames.

    Attributes:
        clean_frames: clean frames that show an object.
        clean_objects: objects on clean frames.
        false_objects: objects on frames with pasted ones that are none of these.
        found_on_road: pasted objects on the road that are found.
        found_elsewhere: the others that are found.
    """

    clean_frames: int = 0
    clean_objects: int = 0
    false_objects: int = 0
    found_on_road: int = 0
    found_elsewhere: int = 0


def told_cells(answers: Answers, above: Cells, edges: TileEdges) -> list[Cells]:
    """Cells of each object: those above the limit in its box."""
    found = []
    for each in answers.objects:
        rows = (edges.down[1:] > each.y) & (edges.down[:-1] < each.y + each.height)
        columns = (edges.across[1:] > each.x) & (edges.across[:-1] < each.x + each.width)
        found.append(np.logical_and.outer(rows, columns) & above)
    return found


def count_pasted(counts: Counts, told: Sequence[Cells], cover: NDArray[np.float64], road: Cells) -> None:
    """Count which pasted objects are found, and what is told of besides.

    Args:
        counts: to add to.
        told: cells of each object that is told.
        cover: ``(h, w)`` share of each cell that pasted objects cover.
        road: which cells are road on the clean frame.
    """
    pasted, number = label(cover >= UNDER, _EIGHT)
    seen = np.logical_or.reduce(told) if told else np.zeros(cover.shape, np.bool_)
    for one in range(1, number + 1):
        inside = pasted == one
        on_road, found = (binary_dilation(inside, _EIGHT) & road).any(), (inside & seen).any()
        counts.found_on_road += int(found and on_road)
        counts.found_elsewhere += int(found and not on_road)
    counts.false_objects += sum(not (cover[cells] > FREE).any() for cells in told)


def pasted_counts(cover: NDArray[np.float64], road: Cells) -> tuple[int, int]:
    """Pasted objects on the road, and elsewhere."""
    pasted, number = label(cover >= UNDER, _EIGHT)
    on_road = sum((binary_dilation(pasted == one, _EIGHT) & road).any() for one in range(1, number + 1))
    return int(on_road), number - int(on_road)


def rules(monitor: OoDMonitor) -> dict[tuple[float, str], tuple[AnswerRule, float]]:
    """Rule of the answers and limit of each part and region; the map is all that they answer."""
    manifest = monitor.manifest
    record = None if manifest.answers is None else manifest.answers.map
    if manifest.answers is None or record is None or not record.road_classes:
        raise SystemExit("expected a bundle with a map and its road, got none: export with --answers map --road-class")
    found = {}
    for part in PARTS:
        limit = part * record.object_limit
        answers = replace(
            manifest.answers,
            novelty_limit=None,
            quality=None,
            cause=None,
            tiles=None,
            map=replace(record, object_limit=limit),
        )
        for region in REGIONS:
            found[part, region] = AnswerRule(answers, manifest.input, manifest.segmentation, region), limit
    return found


def road_cells(verdict: Assessment, record: MapRecord) -> Cells:
    """Which cells of the map are segmented as road."""
    classes = np.asarray(verdict.segmentation)
    steps = [-(-pixels // cells) for pixels, cells in zip(classes.shape, (record.rows, record.columns), strict=True)]
    road: Cells = np.isin(classes[:: steps[0], :: steps[1]], record.road_classes)
    return road


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--frames", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with OoDMonitor(options.bundle) as monitor:
        of, manifest = rules(monitor), monitor.manifest
        assert manifest.answers is not None
        assert manifest.answers.map is not None
        record = manifest.answers.map
        edges = map_edges(record, manifest.input, manifest.segmentation)
        files = FrameFiles(options.frames, manifest.input.channels)
        turned = slice(None, None, -1 if manifest.input.channels == "bgr" else 1)
        counts = {key: Counts() for key in of}
        roadless = on_road = elsewhere = 0
        down, across = ((side[1:] + side[:-1]) / 2 for side in (edges.down, edges.across))
        for index, frame in enumerate(files):
            rng = np.random.default_rng((options.seed, index))
            clean = monitor.assess(frame)
            road = road_cells(clean, record)
            roadless += int(not road.any())
            rows, columns = np.nonzero(road)
            places = np.column_stack([down[rows], across[columns]])
            other = files[int(rng.integers(len(files)))][..., turned]
            pasted = paste_objects(frame[..., turned], other, "judge", places, rng)
            cover = cover_of_tiles(pasted.cover > 0.5, edges)
            more = pasted_counts(cover, road)
            on_road, elsewhere = on_road + more[0], elsewhere + more[1]
            with_objects = monitor.assess(np.ascontiguousarray(pasted.frame[..., turned]))
            for key, (rule, limit) in of.items():
                for verdict in (clean, with_objects):
                    given = np.asarray(verdict.anomaly_map)
                    answers = rule.answers({"anomaly_map": given[None]}, 0, verdict.segmentation)
                    if verdict is clean:
                        counts[key].clean_frames += int(bool(answers.object_count))
                        counts[key].clean_objects += answers.object_count or 0
                    else:
                        count_pasted(counts[key], told_cells(answers, given > limit, edges), cover, road)
    print(
        f"- {len(files)} frames, {roadless} without road; {on_road} pasted objects on the road, {elsewhere} elsewhere\n"
    )
    print("| limit | region | clean frames with an object | objects on them | false objects beside pasted ones | found on the road | found elsewhere |")  # noqa: E501  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for (part, region), told in counts.items():
        found = f"{told.found_on_road} ({told.found_on_road / max(on_road, 1):.0%})"
        others = f"{told.found_elsewhere} ({told.found_elsewhere / max(elsewhere, 1):.0%})"
        print(
            f"| {part * record.object_limit:.2f} | {region} | {told.clean_frames} | {told.clean_objects} | "
            f"{told.false_objects} | {found} | {others} |"
        )


if __name__ == "__main__":
    main()
