# SPDX-License-Identifier: Apache-2.0
"""Everything at once: export the embedded checkpoint, score clean and degraded scenes, draw what came out.

    python examples/demo.py --out demo/

Writes `demo/monitor/` (the bundle), `demo/calibration/` and `demo/drive/` (frames; labels in folders beside them), and
`demo/scores.png`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from demo_objects import put_boulder, put_crates
from demo_picture import Scene, draw_scenes
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from export.anomalies import degrade
from export.data.synthetic import PALETTE, VOID, SyntheticRoads
from export.frames.overlaps import mean_iou, overlaps
from lsood_runtime import OoDMonitor
from lsood_runtime.offline import MapPictures, map_edges

CHECKPOINT = Path(__file__).parent / "demo" / "synthetic_roads.ckpt"
FRAME_SIZE = (192, 384)
CLEAN = 2
CALIBRATION_SEED, DRIVE_SEED = 200, 201  # neither is a seed that the network was trained on
OBJECTS = {"boulder": put_boulder, "crates": put_crates}
OBJECT_PLACE, OBJECT_WIDTH = (200, 165), 44
SHIFTS = (("fog", 3), ("night", 3), ("mud", 3), ("sun_flare", 4), ("sensor_noise", 3), ("defocus", 4))


def draw_frames(
    folder: Path, scenes: int, seed: int, shifts: tuple[tuple[str, int], ...] = (), objects: tuple[str, ...] = ()
) -> list[Path]:
    """Write clean scenes, one scene for each shift, one with each object, and the labels; return the files in that order."""
    labels = labels_of(folder)
    for each in (folder, labels):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    source = SyntheticRoads(scenes + len(shifts) + len(objects), *FRAME_SIZE, seed=seed)
    files = []
    for i in tqdm(range(len(source)), desc=f"drawing {folder.name}", unit="scene"):
        frame, label = source[i]
        name = f"{i:04d}_clean"
        if i >= scenes + len(shifts):
            what = objects[i - scenes - len(shifts)]
            frame, covered = OBJECTS[what](frame, OBJECT_PLACE, OBJECT_WIDTH, seed)
            label, name = np.where(covered, np.uint8(VOID), label), f"{i:04d}_{what}"
        elif i >= scenes:
            kind, severity = shifts[i - scenes]
            frame, name = degrade(frame, kind, severity, seed), f"{i:04d}_{kind}_{severity}"
        files.append(folder / f"{name}.png")
        Image.fromarray(frame).save(files[-1])
        Image.fromarray(label).save(labels / files[-1].name)
    return files


def labels_of(folder: Path) -> Path:
    """Folder of the labels of a folder of frames."""
    return folder.with_name(f"{folder.name}_labels")


def object_box() -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the objects, pixels."""
    (x, foot), half = OBJECT_PLACE, OBJECT_WIDTH // 2
    return x - half, foot - OBJECT_WIDTH, x + half, foot


def draw_sheet(bundle: Path, files: list[Path]) -> Image.Image:
    """Assess each frame, compare its segmentation with its label, and draw what came out."""
    scenes = []
    with OoDMonitor(bundle) as monitor:
        manifest = monitor.manifest
        if manifest.answers is None or manifest.answers.map is None:
            raise ValueError("expected a bundle with an anomaly map, got one without: export it with --answers map")
        told = manifest.answers.map
        maps = MapPictures(map_edges(told, manifest.input, manifest.segmentation), told.object_limit)
        for file in files:
            with Image.open(file) as image, Image.open(labels_of(file.parent) / file.name) as label:
                frame, truth = np.asarray(image.convert("RGB")), np.asarray(label)
            verdict = monitor.assess(frame)
            classes: NDArray[np.uint8] = np.asarray(verdict.segmentation, np.uint8)
            quality = mean_iou([overlaps(classes, truth, len(PALETTE), [VOID])])
            what, _, severity = file.stem[5:].rpartition("_") if file.stem[-1].isdigit() else (file.stem[5:], "", "")
            group = "clean" if what == "clean" else "objects" if what in OBJECTS else "degraded"
            name = what.replace("_", " ") + (f", severity {severity}" if severity else "")
            scenes.append(Scene(group, name, frame, quality, object_box() if what in OBJECTS else None, verdict))
    return draw_scenes(scenes, maps)


def call(module: str, *arguments: str) -> int:
    """Run a command as a user would type it; its exit code comes back."""
    print(f"\n$ python -m {module} {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


def main() -> int:
    """Run the demo; 0 where every stage ended well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write into (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=160, help="calibration scenes (default: %(default)s)")
    options = parser.parse_args()
    out: Path = options.out
    calibration = out / "calibration"
    draw_frames(calibration, options.scenes, CALIBRATION_SEED)
    files = draw_frames(out / "drive", CLEAN, DRIVE_SEED, SHIFTS, tuple(OBJECTS))
    bundle, ckpt = out / "monitor", os.path.relpath(CHECKPOINT)
    answers = ["--answers", "quality", "cause", "tiles", "map", "--labels", str(labels_of(calibration))]
    code = call("export", "--ckpt", ckpt, "--frames", str(calibration), "--out", str(bundle), "--overwrite", *answers)
    if code:
        return code
    code = call("lsood_runtime", "score", str(bundle), str(out / "drive"))
    if code not in (0, 1):  # 1: some frame is out of distribution, as it should be
        return code
    draw_sheet(bundle, files).save(out / "scores.png", optimize=True)
    print(f"\npicture: {out / 'scores.png'}")
    print("next, with your own checkpoint and frames:")
    print("  .venv/bin/python -m export --ckpt YOUR.ckpt --frames YOUR_FRAMES/ --out monitor/")
    print("  .venv/bin/python -m lsood_runtime score monitor/ YOUR_DRIVE/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
