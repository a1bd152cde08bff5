# SPDX-License-Identifier: Apache-2.0
"""Compare every feature of ``evaluation.onnx`` with PyTorch's layers and NumPy in float64, and refuse a bundle that differs.

The reference shares no code with the graph: hooks read the unchanged network, and NumPy computes the features from what they
read. The entropies are not among them: ``export.bundle.parity`` compares the latent samples that they are computed from.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from torch import Tensor, nn

from export.bundle.input_reference import FramePreparation
from export.bundle.logits_reference import LogitsReference
from export.bundle.output_reference import reference_output
from export.bundle.picture_reference import (
    picture_difference,
    reference_picture,
    reference_picture_spread,
    reference_picture_tiles,
)
from export.bundle.tile_reference import all_means_first, reference_tiles
from export.errors import ParityError
from export.features.key import PICTURE, Aggregate, FeatureKey, FeatureKind
from export.graphs.monitor_forms import Form, class_maps
from export.graphs.noise import NoiseSource
from export.graphs.output_features import grid_stride
from export.layers.channel_moments import cell_stride

FEATURE_TOLERANCE = 1e-4
_FLOOR = 1e-5
_SMALL = 0.1
_RESOLUTION = float(np.finfo(np.float32).eps) / FEATURE_TOLERANCE
"""The network itself rounds a channel far from 0: below this share of the mean, a deviation is not known to the tolerance."""

_CHANNELS = 64

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NetworkReadings:
    """What features are computed from, of one frame; of whole maps only what the features read is kept.

    Attributes:
        layers: moments of layers that are among the features, over the whole map or tile by tile, and maps.
        pictures: features of the frame itself that are among the features.
        grid: ``(K, rows, columns)`` logits on the grid that features of the output read; empty where there are none.
        stride: rows and columns of the output from one cell of the grid to the next.
        largest_logit: largest magnitude of any logit of the frame.
    """

    layers: Mapping[FeatureKey, Doubles]
    pictures: Mapping[FeatureKey, Doubles]
    grid: Doubles
    stride: int
    largest_logit: float


@dataclass(frozen=True)
class FeatureReference:
    """The PyTorch network, from which features are computed without any graph.

    Attributes:
        preprocess: frames to the network's input.
        network: in evaluation mode.
        features: keys of what is compared.
        logits: of what the network returns.
        channels_last: layers that give maps with their channels last.
    """

    preprocess: FramePreparation
    network: nn.Module
    features: Sequence[FeatureKey]
    logits: LogitsReference = field(default_factory=LogitsReference)
    channels_last: Collection[str] = ()

    def images(self, frame: NDArray[np.uint8], *, double: bool = False) -> Tensor:
        """The network's input of a ``(1, H, W, 3)`` uint8 frame, in float32 or, of the same values, in float64."""
        images = self.preprocess.prepare(self.preprocess.pixels(torch.from_numpy(frame)))
        return images.double() if double else images

    def read(
        self, frame: NDArray[np.uint8], *, double: bool = False
    ) -> tuple[NetworkReadings, NDArray[np.floating] | None]:
        """Run the network once on one ``(1, H, W, 3)`` uint8 frame.

        Args:
            frame: with the network's weights in float32, or in float64 where ``double`` is true.
            double: whether to give the network its input in float64.

        Returns:
            What features are computed from, and the logits ``(K, h, w)`` of the frame alone where the network gives a map.
        """
        layers = [key for key in self.features if key.layer is not None]
        seen: dict[FeatureKey, Doubles] = {}

        def keep(key: FeatureKey, output: Tensor) -> None:
            first = output[0].permute(2, 0, 1) if key.layer in self.channels_last else output[0]
            layer = first.detach().numpy()
            # at once: a layer behind it may work in place
            if key.grid is None:
                seen[key] = _moments(_cells(layer))
            elif key.is_map:
                rows, columns = key.grid
                seen[key] = layer[:, :rows, :columns].astype(np.float64).ravel()
            else:
                seen[key] = reference_tiles(layer, *key.grid)

        handles = [
            self.network.get_submodule(str(key.layer)).register_forward_hook(
                lambda _, __, output, at=key: keep(at, output)
            )
            for key in layers
        ]
        try:
            with torch.no_grad():
                output = reference_output(self.network, self.images(frame, double=double))
        finally:
            for handle in handles:
                handle.remove()
        logits = None
        if isinstance(output, Tensor) and output.dim() == 4:
            logits = self.logits(self.preprocess.of_frame(output)[0].detach().numpy())
        grid, stride, largest = np.zeros(0), 1, 0.0
        if logits is not None:
            stride = grid_stride(*logits.shape[1:])
            grid = logits[:, ::stride, ::stride].astype(np.float64)
            largest = max(float(logits.max()), -float(logits.min()))
            seen |= {
                key: _at_cells(logits, key.grid)
                for key in self.features
                if key.kind is FeatureKind.LOGIT_MAP and key.grid is not None
            }
        return NetworkReadings(seen, self._pictures(frame), grid, stride, largest), logits

    def values(self, frame: NDArray[np.uint8], *, double: bool = False) -> dict[FeatureKey, Doubles]:
        """Features ``(D,)`` float64 of one ``(1, H, W, 3)`` frame, by the network's own class map."""
        return self.of_readings(*self.read(frame, double=double))

    def of_readings(self, readings: NetworkReadings, logits: NDArray[np.floating] | None) -> dict[FeatureKey, Doubles]:
        """The same of what :meth:`read` gave."""
        classes = None if logits is None else logits.argmax(axis=0)
        return {key: reference_feature(key, readings, classes) for key in self.features}

    def _pictures(self, frame: NDArray[np.uint8]) -> dict[FeatureKey, Doubles]:
        wanted = [key for key in self.features if key.is_of_picture]
        if not wanted:
            return {}
        pixels = self.preprocess.pixels(torch.from_numpy(frame))[0].permute(1, 2, 0).double().numpy()
        return {key: _of_picture(key, pixels, self.preprocess.added) for key in wanted}


def _of_picture(key: FeatureKey, pixels: Doubles, added: tuple[Fraction, Fraction]) -> Doubles:
    if key.grid is not None:
        return reference_picture_tiles(pixels, *key.grid, added)
    return reference_picture(pixels) if key == PICTURE else reference_picture_spread(pixels)


def measure_feature_parity(
    reference: FeatureReference, evaluation: Form, frames: Iterable[NDArray[np.uint8]], noise: NoiseSource
) -> dict[FeatureKey, float]:
    """Run the evaluation graph over frames and keep the largest difference of each feature from the reference.

    The class map is the graph's own, since a pixel on which two classes are equal falls either way; ``segmentation`` is
    compared by itself.

    Args:
        reference: the PyTorch network.
        evaluation: the graph.
        frames: each ``(H, W, 3)`` uint8.
        noise: for masks that are not fixed, frame by frame.

    Returns:
        By feature. Means are compared in units of the layer's largest mean or deviation; a deviation as a share of itself, of
        a tenth of the layer's largest, or of what float32 resolves at its mean, whichever is largest; scores in units of
        themselves, of 1 or of a tenth of the largest logit, whichever is largest; numbers of classes as they are; pictures as
        by :func:`picture_difference`, their spread and tiles as they are; maps in units of their largest magnitude.
    """
    worst = dict.fromkeys(reference.features, 0.0)
    for frame in map(np.array, frames):
        got = evaluation(frame[None], noise.draw())
        readings, _ = reference.read(frame[None])
        classes = class_maps(got["segmentation"])[0].astype(np.int64) if "segmentation" in got else None
        for key in reference.features:
            value = got[str(key)][0].astype(np.float64)
            expected = reference_feature(key, readings, classes)
            difference = feature_difference(key, value, expected, readings.largest_logit)
            worst[key] = max(worst[key], difference) if math.isfinite(difference) else math.inf
    return worst


def check_feature_parity(
    differences: Mapping[FeatureKey, float], tolerances: Mapping[FeatureKey, float] | None = None
) -> None:
    """Refuse a graph of which a feature differs by more than its tolerance.

    Args:
        differences: of each feature.
        tolerances: of features whose tolerance is not the usual one.

    Raises:
        ParityError: it names the feature that differs most.
    """
    if not differences:
        return
    allowed = dict.fromkeys(differences, FEATURE_TOLERANCE) | dict(tolerances or {})
    key = max(differences, key=lambda key: differences[key] / allowed[key])
    if not differences[key] <= allowed[key]:
        answer = "map" if key.is_map else "tiles"
        without = "the layer out by --feature-layers" if key.grid is None else f"{answer} out of --answers"
        raise ParityError(
            f"expected differences of at most {allowed[key]:.3g}, the exported graph disagrees with the PyTorch network "
            f"in the feature {key} by {differences[key]:.3g}; no bundle was written: check that the network computes in "
            f"float32, or leave {without}"
        )


def reference_feature(key: FeatureKey, readings: NetworkReadings, classes: NDArray[np.int64] | None) -> Doubles:
    """One feature ``(D,)`` of one frame in float64.

    Args:
        key: of any feature but the entropies.
        readings: of the frame.
        classes: ``(h, w)``; None where the network gives no segmentation, and no feature of it is asked for.
    """
    if key in readings.layers:
        return readings.layers[key]
    if key.is_of_picture:
        return readings.pictures[key]
    assert classes is not None  # features of the output are given beside a segmentation
    stride = readings.stride
    grid = readings.grid.reshape(len(readings.grid), -1)
    if key.kind is FeatureKind.LOGIT_MOMENTS:
        return _moments(grid)
    if key.kind is FeatureKind.CLASS_SHARE:
        shown = classes[::stride, ::stride].ravel()
        return np.bincount(shown, minlength=len(grid)) / shown.size
    if key.kind is FeatureKind.EXPECTED_IOU:
        return _expected_iou(softmax(grid, axis=0), classes[::stride, ::stride].ravel())
    assert key.aggregate is not None
    boundary = _boundary(classes)[::stride, ::stride].ravel()
    return np.array([_aggregate(pixel_scores(key.kind, grid), key.aggregate, boundary)])


def feature_difference(key: FeatureKey, got: Doubles, expected: Doubles, largest_logit: float) -> float:
    """Difference of one feature in its own unit, see :func:`measure_feature_parity`."""
    if key.kind in (FeatureKind.MOMENTS, FeatureKind.LOGIT_MOMENTS):
        return _of_moments(got, expected)
    if key.is_map:
        return float(np.abs(got - expected).max()) / max(float(np.abs(expected).max()), _FLOOR)
    if key.kind is FeatureKind.TILES and key.grid is not None:
        return _of_moments(all_means_first(got, key.grid), all_means_first(expected, key.grid))
    if key == PICTURE:
        return picture_difference(got, expected)
    if key.is_of_picture or key.kind in (FeatureKind.CLASS_SHARE, FeatureKind.EXPECTED_IOU):
        return float(np.abs(got - expected).max())
    unit = max(1.0, abs(float(expected[0])), _SMALL * largest_logit)
    return abs(float(got[0] - expected[0])) / unit


def _cells(layer: NDArray[np.floating]) -> NDArray[np.floating]:
    """One frame's output of a layer as ``(C, cells)``: those cells of a map that are read, tokens or a vector."""
    if layer.ndim == 2:
        return layer.T
    if layer.ndim == 3:
        stride = cell_stride(*layer.shape[1:])
        layer = layer[:, ::stride, ::stride]
    return layer.reshape(len(layer), -1)


def _at_cells(logits: NDArray[np.floating], grid: tuple[int, int]) -> Doubles:
    """Logits ``(K * rows * columns,)`` at evenly spaced rows and columns of ``(K, h, w)``, from the first ones on."""
    down, across = (np.arange(count) * -(-size // count) for size, count in zip(logits.shape[1:], grid, strict=True))
    return logits[:, down[:, None], across].astype(np.float64).ravel()


def _moments(cells: NDArray[np.floating]) -> Doubles:
    """Means, then logarithms of the deviations, of ``(C, cells)``; no more than some channels are in float64 at a time."""
    blocks = [cells[i : i + _CHANNELS].astype(np.float64) for i in range(0, len(cells), _CHANNELS)]
    deviations = np.concatenate([block.std(axis=1) for block in blocks])
    return np.concatenate([*(block.mean(axis=1) for block in blocks), np.log(np.maximum(deviations, _FLOOR))])


def _of_moments(got: Doubles, expected: Doubles) -> float:
    (means, logs), (got_means, got_logs) = np.split(expected, 2), np.split(got, 2)
    deviations = np.exp(logs)
    unit = max(float(np.abs(means).max()), float(deviations.max()))
    known = np.maximum(_SMALL * deviations.max(), _RESOLUTION * np.abs(means))
    error = np.abs(np.exp(got_logs) - deviations) / np.maximum(deviations, known)
    return float(max(np.abs(got_means - means).max() / unit, error.max()))


def pixel_scores(kind: FeatureKind, logits: Doubles) -> Doubles:
    """Score of each pixel, ``(n,)``, from logits ``(K, n)``."""
    total = logsumexp(logits, axis=0)
    if kind is FeatureKind.ENERGY:
        scores = -total
    elif kind is FeatureKind.MAXIMUM_LOGIT:
        scores = -logits.max(axis=0)
    elif kind is FeatureKind.MAXIMUM_SOFTMAX:
        scores = -np.exp(logits.max(axis=0) - total)
    else:
        probabilities = np.exp(logits - total)
        scores = -(probabilities * (logits - total)).sum(axis=0)
    return np.asarray(scores, np.float64)


def _expected_iou(probabilities: Doubles, shown: NDArray[np.int64]) -> Doubles:
    """IoU of each class ``(K,)`` between the classes shown ``(n,)`` and what probabilities ``(K, n)`` promise."""
    both = np.array([each[shown == number].sum() for number, each in enumerate(probabilities)])
    either = np.bincount(shown, minlength=len(probabilities)) + probabilities.sum(axis=1) - both
    shares: Doubles = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shares


def _aggregate(scores: Doubles, aggregate: Aggregate, boundary: NDArray[np.bool_]) -> float:
    if aggregate is Aggregate.WORST5:
        return float(np.sort(scores)[-math.ceil(0.05 * len(scores)) :].mean())
    if aggregate in (Aggregate.Q90, Aggregate.Q95):
        return float(np.quantile(scores, {Aggregate.Q90: 0.9, Aggregate.Q95: 0.95}[aggregate]))
    everywhere = np.ones_like(boundary)
    chosen = {Aggregate.BOUNDARY: boundary, Aggregate.INTERIOR: ~boundary}.get(aggregate, everywhere)
    return float(scores[chosen if chosen.any() else everywhere].mean())


def _boundary(classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels with a neighbour of another class above, below, left or right."""
    around = np.pad(classes, 1, mode="edge")
    inner = (slice(1, -1), slice(1, -1))
    changed = [np.roll(around, step, axis)[inner] != classes for step in (-1, 1) for axis in (0, 1)]
    edge: NDArray[np.bool_] = np.logical_or.reduce(changed)
    return edge
