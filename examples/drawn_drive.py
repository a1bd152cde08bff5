# SPDX-License-Identifier: Apache-2.0
"""Draw the drive of two cameras on which something happens, for pictures and for trying commands out.

    python examples/drawn_drive.py --out demo/two_cameras
    python -m lsood_runtime watch demo/monitor demo/two_cameras/front demo/two_cameras/rear --fps 2 --alarm 3of5 \\
        --timeline docs/timeline.png

The front camera drives into fog that becomes denser and is gone again. The rear camera is covered for a while: its pictures
are black. Every picture is a scene of its own, in the size of the bundle that `examples/demo.py` makes.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from export.anomalies import degrade
from export.data.synthetic import SyntheticRoads

FRAME_SIZE = (192, 384)
SEEDS = {"front": 310, "rear": 311}  # neither the network nor the calibration of the demo has seen these
FOG, COVERED = (0.40, 0.60), (0.70, 0.80)


def main() -> None:
    """Write the pictures of both cameras."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo/two_cameras"), help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=120, help="of each camera (default: %(default)s)")
    options = parser.parse_args()
    for camera, seed in SEEDS.items():
        folder: Path = options.out / camera
        folder.mkdir(parents=True, exist_ok=True)
        source = SyntheticRoads(options.frames, *FRAME_SIZE, seed=seed)
        for i in tqdm(range(options.frames), desc=camera, unit="scene"):
            frame, share = source[i][0], i / options.frames
            if camera == "front" and FOG[0] <= share < FOG[1]:
                frame = degrade(frame, "fog", 1 + int(5 * (share - FOG[0]) / (FOG[1] - FOG[0])), seed)
            if camera == "rear" and COVERED[0] <= share < COVERED[1]:
                frame = np.zeros_like(frame)
            Image.fromarray(frame).save(folder / f"{i:04d}.png")


if __name__ == "__main__":
    main()
