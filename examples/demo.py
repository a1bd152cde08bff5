# SPDX-License-Identifier: Apache-2.0
"""Everything in a minute: export the embedded checkpoint, score clean and degraded scenes, draw what came out.

    python examples/demo.py --out demo/

Writes `demo/monitor/` (the bundle), `demo/calibration/` and `demo/drive/` (frames), and `demo/scores.png`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from export.anomalies import degrade
from export.data.synthetic import PALETTE, SyntheticRoads
from lsood_runtime import Assessment, OoDMonitor

CHECKPOINT = Path(__file__).parent / "demo" / "synthetic_roads.ckpt"
FRAME_SIZE = (192, 384)
CALIBRATION_SEED, DRIVE_SEED = 200, 201  # neither is a seed that the network was trained on
SHIFTS = (("fog", 3), ("night", 3), ("mud", 3), ("sun_flare", 4), ("sensor_noise", 3), ("defocus", 4))


def draw_frames(folder: Path, scenes: int, seed: int, shifts: tuple[tuple[str, int], ...] = ()) -> list[Path]:
    """Write clean scenes, and after them one scene for each shift; return the files in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    source = SyntheticRoads(scenes + len(shifts), *FRAME_SIZE, seed=seed)
    files = []
    for i in tqdm(range(len(source)), desc=f"drawing {folder.name}", unit="scene"):
        frame = source[i][0]
        name = f"{i:04d}_clean"
        if i >= scenes:
            kind, severity = shifts[i - scenes]
            frame, name = degrade(frame, kind, severity, seed), f"{i:04d}_{kind}_{severity}"
        files.append(folder / f"{name}.png")
        Image.fromarray(frame).save(files[-1])
    return files


def draw_scores(files: list[Path], verdicts: list[Assessment], out: Path) -> None:
    """A sheet of frames, each beside its class map, with its score and verdict underneath."""
    (h, w), columns, line = FRAME_SIZE, 2, 34
    rows = -(-len(files) // columns)
    sheet = Image.new("RGB", (columns * (w * 3 // 2 + 12), rows * (h // 2 + h // 4 + line)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    colours = np.array(PALETTE, np.uint8)
    for i, (file, verdict) in enumerate(zip(files, verdicts, strict=True)):
        left, top = i % columns * (w * 3 // 2 + 12), i // columns * (h * 3 // 4 + line)
        size = (w * 3 // 4, h * 3 // 4)
        with Image.open(file) as frame:
            sheet.paste(frame.resize(size), (left, top))
        classes: NDArray[np.uint8] = np.asarray(verdict.segmentation, np.uint8)
        sheet.paste(Image.fromarray(colours[classes]).resize(size, Image.Resampling.NEAREST), (left + size[0], top))
        colour = "#b3261e" if verdict.is_ood else "#1b6e3c"
        text = (
            f"{file.stem[5:]}: score {verdict.score:.1f}, threshold {verdict.threshold:.1f}, p = {verdict.p_value:.3f}"
        )
        pen.text(
            (left + 4, top + size[1] + 6), text + (", OUT OF DISTRIBUTION" if verdict.is_ood else ", ok"), colour, font
        )
    sheet.save(out)


def call(module: str, *arguments: str) -> int:
    """Run a command as a user would type it; its exit code comes back."""
    print(f"\n$ python -m {module} {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


def main() -> int:
    """Run the demo; 0 where every stage ended well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write into (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=240, help="calibration scenes (default: %(default)s)")
    options = parser.parse_args()
    out: Path = options.out
    shutil.rmtree(out / "calibration", ignore_errors=True)
    shutil.rmtree(out / "drive", ignore_errors=True)
    draw_frames(out / "calibration", options.scenes, CALIBRATION_SEED)
    files = draw_frames(out / "drive", 6, DRIVE_SEED, SHIFTS)
    bundle = out / "monitor"
    ckpt, calibration = os.path.relpath(CHECKPOINT), str(out / "calibration")
    code = call("export", "--ckpt", ckpt, "--frames", calibration, "--out", str(bundle), "--overwrite")
    if code:
        return code
    code = call("lsood_runtime", "score", str(bundle), str(out / "drive"))
    if code not in (0, 1):  # 1: some frame is out of distribution, as it should be
        return code
    with OoDMonitor(bundle) as monitor:
        verdicts = []
        for file in files:
            with Image.open(file) as image:
                verdicts.append(monitor.assess(np.asarray(image.convert("RGB"))))
    draw_scores(files, verdicts, out / "scores.png")
    print(f"\npicture: {out / 'scores.png'}")
    print("next, with your own checkpoint and frames:")
    print("  .venv/bin/python -m export --ckpt YOUR.ckpt --frames YOUR_FRAMES/ --out monitor/")
    print("  .venv/bin/python -m lsood_runtime score monitor/ YOUR_DRIVE/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
