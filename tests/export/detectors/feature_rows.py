# SPDX-License-Identifier: Apache-2.0
"""Random features of frames for tests of detectors, and detectors of every kind on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.entropy import latent_entropy
from export.detectors.fitted import PartOptions
from export.features.key import FeatureKey, FeatureKind

LAYER, WIDE = FeatureKey.moments("layer1"), FeatureKey.moments("encoder.layer2")
ENTROPY, LOGITS = FeatureKey.entropy(), FeatureKey(FeatureKind.LOGIT_MOMENTS)
CLASSES = FeatureKey(FeatureKind.CLASS_SHARE)
ENERGY = FeatureKey.output_score(FeatureKind.ENERGY)
MAXIMUM = FeatureKey.output_score(FeatureKind.MAXIMUM_LOGIT)

PARTS = (
    PartOptions("kde", (ENTROPY,)),
    PartOptions("kde", (ENTROPY, LAYER), standardise=True, pca=3, bandwidth=0.8),
    PartOptions("mahalanobis", (LAYER,)),
    PartOptions("mahalanobis", (WIDE,)),
    PartOptions("mahalanobis-l2", (WIDE, LAYER), standardise=True),
    PartOptions("mahalanobis", (CLASSES,)),
    PartOptions("knn", (LOGITS,)),
    PartOptions("vim", (LAYER, LOGITS)),
    PartOptions("vim", (WIDE, ENERGY)),
    PartOptions("neco", (LAYER, LOGITS)),
    PartOptions("neco", (LAYER, MAXIMUM)),
    PartOptions("neco", (WIDE,)),
    PartOptions("output-score", (ENERGY,)),
)
"""One of each kind and of each form; all but those that need out-of-distribution frames."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Features of frames of several drives.

    Attributes:
        latent_samples: ``(N, S, C)`` float32.
        features: by key, the entropies of the samples among them.
        drives: ``(N,)``.
    """

    latent_samples: NDArray[np.float32]
    features: dict[FeatureKey, NDArray[np.float32]]
    drives: list[str]

    def inputs(self, keys: tuple[FeatureKey, ...]) -> dict[str, NDArray[np.float32]]:
        """Inputs of a detector's graph by name."""
        return {key.output: self.latent_samples if key == ENTROPY else self.features[key] for key in keys}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all inputs behind the batch."""
        return {name: rows.shape[1:] for name, rows in self.inputs(tuple(self.features)).items()}


def recording(seed: int, frames: int = 60, wide: int = 40, samples: int = 8, channels: int = 5) -> Recording:
    """Draw correlated features of frames in six drives.

    Args:
        seed: of everything drawn.
        frames: N.
        wide: channels of the wide layer.
        samples: S.
        channels: C of the tap.
    """
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(frames, 6))

    def rows(columns: int, offset: float = 0.0) -> NDArray[np.float32]:
        mixed = state @ rng.normal(size=(6, columns)) + 0.3 * rng.normal(size=(frames, columns)) + offset
        return mixed.astype(np.float32)

    scale = np.exp(0.3 * rows(channels))[:, None]
    latent_samples = (rng.normal(size=(frames, samples, channels)) * scale).astype(np.float32)
    shares = np.exp(rows(4))
    shares[:, 3] = 0  # a class that is never predicted
    features = {
        LAYER: rows(12),
        WIDE: rows(2 * wide, 3.0),
        ENTROPY: latent_entropy(latent_samples).astype(np.float32),
        LOGITS: rows(8, 2.0),
        CLASSES: shares / shares.sum(axis=1, keepdims=True),
        ENERGY: rows(1, -5.0),
        MAXIMUM: rows(1, -4.0),
    }
    return Recording(latent_samples, features, [f"drive{i * 6 // frames}" for i in range(frames)])
