# SPDX-License-Identifier: Apache-2.0
"""Derive the inputs and outputs of a bundle's graphs from its manifest."""

from dataclasses import dataclass

from lsood_runtime._bundle.answers_records import ANOMALY_MAP
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.records import ENTROPY, LATENT_SAMPLES
from lsood_runtime._inference.graph import Signature


@dataclass(frozen=True, slots=True)
class Signatures:
    """Inputs and outputs of both graphs.

    Attributes:
        frame: inputs of the network: the frame, and noise.
        network: its outputs: segmentation and features.
        features: inputs of the detector.
        detector: its outputs: the score, the entropy where latent samples are read, the parts where the score has any, and
            what the bundle answers beside it.
    """

    frame: Signature
    network: Signature
    features: Signature
    detector: Signature


def signatures(manifest: Manifest) -> Signatures:
    """Derive the signatures that the graphs of a bundle must have."""
    contract, segmentation, masks = manifest.input, manifest.segmentation, manifest.masks
    size = (segmentation.height, segmentation.width)
    of_kind: dict[str, Signature] = {
        "none": {},
        "classes": {"segmentation": ("tensor(uint8)", size)},
        "logits": {"segmentation": ("tensor(float)", (segmentation.num_classes, *size))},
    }
    noise: Signature = {
        name: ("tensor(float)", (masks.count, *shape))
        for name, shape in zip(masks.noise_names, masks.noise, strict=True)
    }
    features: Signature = {name: ("tensor(float)", shape) for name, shape in manifest.features.items()}
    entropy: Signature = {ENTROPY: ("tensor(float)", (manifest.tap.channels,))} if LATENT_SAMPLES in features else {}
    count = len(manifest.detector.parts)
    parts: Signature = {"parts": ("tensor(double)", (count,))} if count else {}
    shapes = {} if manifest.answers is None else manifest.answers.shapes()
    answers: Signature = {
        name: ("tensor(float)" if name == ANOMALY_MAP else "tensor(double)", shape) for name, shape in shapes.items()
    }
    return Signatures(
        frame={"frame": ("tensor(uint8)", (contract.frame_height, contract.frame_width, 3)), **noise},
        network={**of_kind[segmentation.kind], **features},
        features=features,
        detector={**entropy, "score": ("tensor(double)", ()), **parts, **answers},
    )
