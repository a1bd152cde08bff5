# SPDX-License-Identifier: Apache-2.0
"""How published code scores a frame, in the plainest faithful form, on the same weights and the same masks' law.

Both keep PyTorch for the network, a KD-tree for each latent dimension (as the guide's ``entropy-estimators`` has) and
scikit-learn's ``KernelDensity``. Frames go one at a time: the guide regroups its samples rightly for a batch of one alone.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity
from torch import Tensor, nn

from export.layers.dropblock import DropBlock2D

NEIGHBORS, MIN_DIST = 5, 1e-5

Rows = NDArray[np.float64]


def kd_tree_entropies(latent_samples: NDArray[np.floating]) -> Rows:
    """``(S, C)`` to ``(C,)`` nats: a tree for each of the C dimensions."""
    columns = latent_samples.T[..., None].astype(np.float64)
    nearest = [KDTree(column).query(column, k=NEIGHBORS + 1, p=np.inf)[0][:, -1] for column in columns]
    offset = digamma(len(latent_samples)) - digamma(NEIGHBORS)
    return np.asarray(offset + np.log(2 * np.maximum(nearest, MIN_DIST)).mean(axis=1))


class Density:
    """Minus the log-density of entropies after a whitening PCA, by scikit-learn.

    Args:
        pca: fitted.
        rows: ``(N, C)`` entropies of the training frames.
        bandwidth: of the Gaussian kernel.
        leaf_size: of the tree; scikit-learn's own default where nothing is said, which is wrong off the cloud. N points to
            a leaf make one leaf, and the sum exact.
    """

    def __init__(self, pca: PCA, rows: Rows, bandwidth: float, leaf_size: int = 40) -> None:
        self._pca = pca
        self._density = KernelDensity(kernel="gaussian", bandwidth=bandwidth, leaf_size=leaf_size).fit(
            pca.transform(rows)
        )

    def __call__(self, entropies: Rows) -> float:
        """Score of one frame, ``(C,)``; higher = further from the training distribution."""
        return -float(self._density.score_samples(self._pca.transform(entropies[None]))[0])


class GuideProcedure:
    """The guide's: S whole forward passes with DropBlock switched on, its output caught by a hook and averaged.

    Args:
        network: ``(1, 3, H, W)`` to logits, in evaluation mode.
        tap: its DropBlock layer.
        samples: S.
        density: entropies to a score.
    """

    def __init__(self, network: nn.Module, tap: DropBlock2D, samples: int, density: Callable[[Rows], float]) -> None:
        self._network, self._tap, self._samples, self._density = network, tap, samples, density

    def latent_samples(self, image: Tensor) -> NDArray[np.float32]:
        """``(S, C)``."""
        caught: list[Tensor] = []
        hook = self._tap.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
        self._tap.train()
        try:
            with torch.no_grad():
                for _ in range(self._samples):
                    self._network(image)
        finally:
            hook.remove()
            self._tap.eval()
        samples: NDArray[np.float32] = torch.cat([output.mean(dim=2).mean(dim=2) for output in caught]).numpy()
        return samples

    def __call__(self, image: Tensor) -> float:
        """Score of one frame; the class map would take one more pass."""
        return self._density(kd_tree_entropies(self.latent_samples(image)))


class OnePass:
    """LaREx's and runia_core's: one clean pass, a hook before DropBlock, then S DropBlock modules on what it caught.

    Args:
        network: ``(1, 3, H, W)`` to logits, in evaluation mode.
        tap: its DropBlock layer, whose constants the S modules take.
        samples: S.
        density: entropies to a score.
    """

    def __init__(self, network: nn.Module, tap: DropBlock2D, samples: int, density: Callable[[Rows], float]) -> None:
        self._network, self._tap, self._density = network, tap, density
        self._drop_blocks = nn.ModuleList(DropBlock2D(tap.drop_prob, tap.block_size) for _ in range(samples)).train()

    def __call__(self, image: Tensor) -> tuple[NDArray[np.uint8], float]:
        """Class map and score of one frame."""
        caught: list[Tensor] = []
        hook = self._tap.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
        try:
            with torch.no_grad():
                classes: NDArray[np.uint8] = self._network(image).argmax(dim=1).to(torch.uint8).numpy()
        finally:
            hook.remove()
        return classes, self.after_network(caught[0])

    def after_network(self, features: Tensor) -> float:
        """Score of what the hook caught, ``(1, C, h, w)``."""
        with torch.no_grad():
            samples = torch.cat([drop_block(features).mean(dim=2).mean(dim=2) for drop_block in self._drop_blocks])
        return self._density(kd_tree_entropies(samples.numpy()))
