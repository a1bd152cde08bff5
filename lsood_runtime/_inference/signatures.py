# SPDX-License-Identifier: Apache-2.0
"""Derive the inputs and outputs of a bundle's graphs from its manifest."""

from dataclasses import dataclass

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._inference.graph import Signature


@dataclass(frozen=True, slots=True)
class Signatures:
    """Inputs and outputs of both graphs.

    Attributes:
        frame: inputs of the network: the frame, and noise.
        network: its outputs: segmentation and latent samples.
        latent_samples: input of the detector.
        detector: its outputs: entropy and score.
    """

    frame: Signature
    network: Signature
    latent_samples: Signature
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
    latent_samples: Signature = {"latent_samples": ("tensor(float)", (masks.count, manifest.tap.channels))}
    return Signatures(
        frame={"frame": ("tensor(uint8)", (contract.frame_height, contract.frame_width, 3)), **noise},
        network={**of_kind[segmentation.kind], **latent_samples},
        latent_samples=latent_samples,
        detector={"entropy": ("tensor(float)", (manifest.tap.channels,)), "score": ("tensor(double)", ())},
    )
