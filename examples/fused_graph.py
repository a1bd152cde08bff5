# SPDX-License-Identifier: Apache-2.0
"""Score images by ONNX Runtime alone: `python examples/fused_graph.py monitor/monitor.onnx a.png b.png`."""

import json
import os
import sys

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import numpy as np
import onnxruntime as ort
from PIL import Image, ImageOps

session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
manifest = json.loads(session.get_modelmeta().custom_metadata_map["lsood_manifest"])
threshold = manifest["operating_points"][manifest["operating_point"]]["value"]
reverse = manifest["input"]["channels"] == "bgr"

for path in sys.argv[2:]:
    picture = Image.open(path)
    if picture.mode.split(";")[0] in ("I", "F"):
        sys.exit(f"expected an image of 8 bits a channel, {path} has mode {picture.mode}: convert it first")
    if picture.mode in ("1", "L", "LA", "La") and not manifest["pixels"]["grey"]:
        sys.exit(f"expected an image in colour, {path} is grey: export the bundle with --grey for a grey camera")
    frame = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    frame = frame[..., ::-1] if reverse else frame
    (score,) = session.run(["score"], {"frame": np.ascontiguousarray(frame)[None]})
    sound = np.isfinite(score[0])  # NaN is above no threshold, and minus infinity below every one
    print(f"{path}\t{score[0]:.6f}\t{'ok' if sound and score[0] <= threshold else 'out of distribution'}")
