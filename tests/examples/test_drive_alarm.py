# SPDX-License-Identifier: Apache-2.0
"""A recorded drive with a shift spliced in: the alarm comes in the promised time, and a clean drive stays silent."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.anomalies import degrade
from export.calibration.options import CalibrationOptions
from export.data.synthetic import SyntheticRoads
from lsood_runtime import parse_policy, read_manifest
from lsood_runtime._cli.main import run
from tests.conftest import CAMVID
from tests.lsood_runtime.recordings import write_recording
from tests.paths import EXAMPLES

CHECKPOINT = EXAMPLES / "demo" / "synthetic_roads.ckpt"
SIZE = (96, 192)
TENTH_NS = 100_000_000

Frames = Sequence[NDArray[np.uint8]]


def scenes(count: int, seed: int) -> Frames:
    source = SyntheticRoads(count, *SIZE, seed=seed)
    return [source[i][0] for i in range(count)]


def save(frames: Frames, folder: Path) -> Path:
    folder.mkdir()
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{i:04d}.png")
    return folder


def watch(
    bundle: Path, folder: Path, frames: Frames, rule: str, kind: str = "mcap file"
) -> tuple[int, list[bool], float]:
    """Exit code, alarm of each frame, and the share of the timeline's pixels that the shade of an alarm covers."""
    folder.mkdir()
    records = [
        ("/front/image_raw", 10**9 + i * TENTH_NS, 10**9 + i * TENTH_NS, frame) for i, frame in enumerate(frames)
    ]
    drive, out, picture = write_recording(folder, kind, records), folder / "scored.jsonl", folder / "timeline.png"
    code = run(["watch", str(bundle), str(drive), "--alarm", rule, "--out", str(out), "--timeline", str(picture)])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["stamp_ns"] for row in rows] == [stamp for _, stamp, _, _ in records]
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    reddish = (pixels[..., 0] > 240) & (pixels[..., 1] < 235) & (pixels[..., 1] > 215)
    return code, [row["alarm"] for row in rows], float(reddish.mean())


@pytest.fixture(scope="module")
def synthetic_bundle(export_small: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = save(scenes(120, seed=300), tmp_path_factory.mktemp("synthetic") / "calibration")
    return export_small(
        ckpt=CHECKPOINT, frames=(frames,), mc_samples=16, calibration=CalibrationOptions(rates={"5%": 0.05})
    )


@pytest.mark.parametrize("rule", ["3of5", "cusum:0.05h@10", "duration:0.2"])
def test_watch_of_a_synthetic_drive_alarms_in_the_promised_time(
    synthetic_bundle: Path, tmp_path: Path, rule: str
) -> None:
    clean = scenes(50, seed=301)
    shift = [degrade(frame, "fog", 4, seed=i) for i, frame in enumerate(scenes(20, seed=302))]
    calibration = read_manifest(synthetic_bundle).calibration
    delay = parse_policy(rule).delay_frames(calibration, 10)
    assert delay <= 15, "a promise that could be kept by chance would show nothing"
    code, alarms, shade = watch(synthetic_bundle, tmp_path / "shifted", [*clean[:30], *shift, *clean[30:]], rule)
    assert code == 1
    onset = alarms.index(True)
    assert 30 <= onset <= 30 + delay - 1
    assert all(alarms[onset:50])
    quiet, silence, no_shade = watch(synthetic_bundle, tmp_path / "clean", clean, rule)
    assert (quiet, any(silence)) == (0, False)
    assert no_shade < 0.001 < 0.02 < shade, "the picture shows the alarm"


@pytest.mark.camvid
@pytest.mark.skipif(not CAMVID.is_dir(), reason="the CamVid frames are not beside the project")
@pytest.mark.parametrize("kind", ["mcap file", "ros2 sqlite3"])
def test_watch_of_a_camvid_drive_alarms_at_dusk(export_small: Callable[..., Path], tmp_path: Path, kind: str) -> None:
    """Day frames of one drive, dusk of another spliced in; the embedded network never saw a real road.

    The clean frames lie between those of the calibration. Where the calibration takes the drive's beginning and the clean
    frames are its end, this network raises an alarm on the unknown stretch of road, as it should by what it was told.
    """
    day = sorted((CAMVID / "train").glob("0016E5_*"))
    assert len(day) == 204
    bundle = export_small(
        ckpt=CHECKPOINT,
        frames=tuple(day[::2]),
        mc_samples=16,
        calibration=CalibrationOptions(rates={"5%": 0.05}),
    )
    clean = [np.asarray(Image.open(path)) for path in day[101:161:2]]
    dusk = [np.asarray(Image.open(path)) for path in sorted((CAMVID / "train").glob("0001TP_*"))[:15]]
    code, alarms, shade = watch(bundle, tmp_path / "shifted", [*clean[:20], *dusk, *clean[20:]], "3of5", kind)
    assert code == 1
    assert alarms.index(True) in range(20, 23)
    quiet, silence, no_shade = watch(bundle, tmp_path / "clean", clean, "3of5", kind)
    assert (quiet, any(silence)) == (0, False)
    assert no_shade < 0.001 < 0.02 < shade
