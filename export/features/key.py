# SPDX-License-Identifier: Apache-2.0
"""Typed keys of the features of a frame; the text of a key is the name of the ONNX output that gives the feature."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self, get_args

from export.layers.mask_mode import Mode

LATENT_SAMPLES = "latent_samples"
"""Output ``(B, S, C)`` of the network's graph, from which the detector's graph computes the entropies."""


class FeatureKind(StrEnum):
    """Kind of a feature."""

    ENTROPY = "entropy"
    """``(B, C)``: entropies of the taps' channels over their samples, nats."""
    MOMENTS = "moments"
    """``(B, 2 C)``: mean of each channel of a layer over its map, then the logarithms of the standard deviations."""
    TILES = "tiles"
    """``(B, R * Q * 2 K)``: means of some channels of a layer in each tile of its map, then log deviations."""
    FEATURE_MAP = "feature_map"
    """``(B, C * h * w)``: a layer's map, channel by channel."""
    LOGIT_MAP = "logit_map"
    """``(B, K * h * w)``: the logits at every fourth row and column of what the network sees, class by class."""
    PICTURE = "picture"
    """``(B, 48)``: colours and fineness of detail of the frame itself, without the network."""
    PICTURE_SPREAD = "picture_spread"
    """``(B, 77)``: how detail and light spread over the frame itself, without the network."""
    PICTURE_TILES = "picture_tiles"
    """``(B, R * Q * 104)``: detail, light and lines in each tile of the frame itself, without the network."""
    LOGIT_MOMENTS = "logit_moments"
    """``(B, 2 K)``: mean of each class's logit over the pixels, then the logarithms of the standard deviations."""
    CLASS_SHARE = "class_share"
    """``(B, K)``: share of the pixels that each class is predicted for."""
    EXPECTED_IOU = "expected_iou"
    """``(B, K)``: intersection over union of each class with the labels that its probabilities promise."""
    PREDICTIVE_ENTROPY = "predictive_entropy"
    """``(B, 1)``: entropy of the class probabilities of a pixel, nats, aggregated over the pixels."""
    MAXIMUM_SOFTMAX = "maximum_softmax"
    """``(B, 1)``: minus the largest probability (Hendrycks and Gimpel 2017), aggregated over the pixels."""
    MAXIMUM_LOGIT = "maximum_logit"
    """``(B, 1)``: minus the largest logit (Hendrycks et al. 2022), aggregated over the pixels."""
    ENERGY = "energy"
    """``(B, 1)``: minus the logarithm of the sum of the logits' exponentials (Liu et al. 2020), aggregated alike."""

    @property
    def is_output_score(self) -> bool:
        """Whether the feature is one number, a score of the network's own output: higher = further from training."""
        return self in OUTPUT_SCORES


OUTPUT_SCORES = (
    FeatureKind.PREDICTIVE_ENTROPY,
    FeatureKind.MAXIMUM_SOFTMAX,
    FeatureKind.MAXIMUM_LOGIT,
    FeatureKind.ENERGY,
)
"""Scores of a pixel that are computed from its logits, in the order of the graph's outputs."""


_WITH_GRID = (FeatureKind.TILES, FeatureKind.PICTURE_TILES, FeatureKind.FEATURE_MAP, FeatureKind.LOGIT_MAP)


class Aggregate(StrEnum):
    """How the score of every pixel becomes one number of the frame."""

    MEAN = "mean"
    Q90 = "q90"
    """Quantile 0.9."""
    Q95 = "q95"
    """Quantile 0.95."""
    WORST5 = "worst5"
    """Mean over the highest 5 % of the pixels."""
    BOUNDARY = "boundary"
    """Mean over the pixels that have a neighbour of another predicted class, among the four nearest."""
    INTERIOR = "interior"
    """Mean over the other pixels. Where there are no pixels of one of the two kinds, both are the mean over all."""


@dataclass(frozen=True)
class FeatureKey:
    """Key of one feature of a frame.

    ``str(key)`` is the name of the feature in graphs, bundles and feature files, and :meth:`parse` reads it back.

    Attributes:
        kind: of the feature.
        layer: of moments and maps; of entropies the tap where several are compared, None for all taps of a bundle together.
        samples: S of the entropies where several are compared; None else.
        masks: mode of the masks of these entropies; None else.
        aggregate: of a score of the output; None else.
        grid: rows and columns of tiles, or of the cells of a map; None else.

    Raises:
        ValueError: an attribute that the kind does not have, or one that is missing.
    """

    kind: FeatureKind
    layer: str | None = None
    samples: int | None = None
    masks: Mode | None = None
    aggregate: Aggregate | None = None
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        given = [bool(self.layer), self.samples is not None, self.masks is not None, self.grid is not None]
        expected = {
            FeatureKind.ENTROPY: [*[all(given[:3])] * 3, False],
            FeatureKind.MOMENTS: [True, False, False, False],
            FeatureKind.TILES: [True, False, False, True],
            FeatureKind.FEATURE_MAP: [True, False, False, True],
            FeatureKind.LOGIT_MAP: [False, False, False, True],
            FeatureKind.PICTURE_TILES: [False, False, False, True],
        }
        if given != expected.get(self.kind, [False] * 4) or self.kind.is_output_score != (self.aggregate is not None):
            raise ValueError(
                f"expected a key of {self.kind} with what belongs to it, got layer {self.layer!r}, samples "
                f"{self.samples}, masks {self.masks}, aggregate {self.aggregate}, grid {self.grid}: use the "
                "constructors by kind"
            )

    @classmethod
    def entropy(cls, layer: str | None = None, samples: int | None = None, masks: Mode = "fixed") -> Self:
        """Key of the entropies of a bundle's taps, or of one tap over S samples where several are compared."""
        return cls(FeatureKind.ENTROPY, layer, samples, None if layer is None else masks)

    @classmethod
    def moments(cls, layer: str) -> Self:
        """Key of the moments of a layer."""
        return cls(FeatureKind.MOMENTS, layer)

    @classmethod
    def tiles(cls, layer: str, rows: int, columns: int) -> Self:
        """Key of the moments of a layer in each tile of its map."""
        return cls(FeatureKind.TILES, layer, grid=(rows, columns))

    @classmethod
    def picture_tiles(cls, rows: int, columns: int) -> Self:
        """Key of the numbers of each tile of the picture."""
        return cls(FeatureKind.PICTURE_TILES, grid=(rows, columns))

    @classmethod
    def feature_map(cls, layer: str, rows: int, columns: int) -> Self:
        """Key of the map of a layer."""
        return cls(FeatureKind.FEATURE_MAP, layer, grid=(rows, columns))

    @classmethod
    def logit_map(cls, rows: int, columns: int) -> Self:
        """Key of the map of the logits."""
        return cls(FeatureKind.LOGIT_MAP, grid=(rows, columns))

    @classmethod
    def output_score(cls, kind: FeatureKind, aggregate: Aggregate = Aggregate.MEAN) -> Self:
        """Key of a score of the network's output."""
        return cls(kind, aggregate=aggregate)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back the text of a key.

        Raises:
            ValueError: the text is not one of a key.
        """
        kind, _, rest = text.partition("/")
        try:
            key = cls._of_parts(FeatureKind(kind), rest)
        except ValueError:
            key = None
        if key is None or str(key) != text:
            raise ValueError(
                f"expected the name of a feature, got {text!r}: moments/<layer>, energy/mean and entropy are such names"
            )
        return key

    @classmethod
    def _of_parts(cls, kind: FeatureKind, rest: str) -> Self:
        if kind is FeatureKind.MOMENTS:
            return cls.moments(rest)
        if kind in _WITH_GRID:
            layer, _, grid = rest.rpartition("/")
            rows, _, columns = grid.partition("x")
            return cls(kind, layer or None, grid=(int(rows), int(columns)))
        if kind.is_output_score:
            return cls.output_score(kind, Aggregate(rest))
        if kind is FeatureKind.ENTROPY and rest:
            layer, samples, masks = rest.rsplit("/", 2)  # a layer's own name may hold slashes
            modes: tuple[Mode, ...] = get_args(Mode)
            return cls.entropy(layer, int(samples), modes[modes.index(masks)])
        return cls(kind)

    @property
    def is_of_layers(self) -> bool:
        """Whether the feature is read inside the network."""
        return self.kind in (FeatureKind.ENTROPY, FeatureKind.MOMENTS, FeatureKind.TILES, FeatureKind.FEATURE_MAP)

    @property
    def is_map(self) -> bool:
        """Whether the feature is a whole map, of which no rows of many frames are kept."""
        return self.kind in (FeatureKind.FEATURE_MAP, FeatureKind.LOGIT_MAP)

    @property
    def is_of_output(self) -> bool:
        """Whether the feature is computed from the network's output."""
        return not self.is_of_layers and not self.is_of_picture

    @property
    def is_of_picture(self) -> bool:
        """Whether the feature is computed from the frame itself, without the network."""
        return self.kind in (FeatureKind.PICTURE, FeatureKind.PICTURE_SPREAD, FeatureKind.PICTURE_TILES)

    @property
    def is_of_tiles(self) -> bool:
        """Whether the feature is of tiles, of which abnormal ones are told."""
        return self.kind in (FeatureKind.TILES, FeatureKind.PICTURE_TILES)

    @property
    def output(self) -> str:
        """Name of the network's output that the feature is, or that the detector's graph computes it from."""
        return LATENT_SAMPLES if self.kind is FeatureKind.ENTROPY else str(self)

    def __str__(self) -> str:
        """Name of the feature."""
        if self.aggregate is not None:
            return f"{self.kind}/{self.aggregate}"
        if self.samples is not None:
            return f"{self.kind}/{self.layer}/{self.samples}/{self.masks}"
        if self.grid is not None:
            layer = "" if self.layer is None else f"{self.layer}/"
            return f"{self.kind}/{layer}{self.grid[0]}x{self.grid[1]}"
        return str(self.kind) if self.layer is None else f"{self.kind}/{self.layer}"

    @property
    def words(self) -> str:
        """Text of the key for tables."""
        if self.aggregate is not None:
            return str(self.kind) + ("" if self.aggregate is Aggregate.MEAN else f", {self.aggregate}")
        if self.is_map and self.grid is not None:
            return f"map of {self.layer or 'the logits'}, {self.grid[0]} x {self.grid[1]} cells"
        if self.grid is not None:
            return f"{self.layer or 'the picture'}, {self.grid[0]} x {self.grid[1]} tiles"
        if self.layer is None:
            return str(self.kind).replace("_", " ")
        if self.samples is None:
            return f"{self.layer}, no sampling"
        fresh = "" if self.masks == "fixed" else f", {self.masks} masks"
        return f"{self.layer}, S = {self.samples}{fresh}"


PICTURE = FeatureKey(FeatureKind.PICTURE)
PICTURE_SPREAD = FeatureKey(FeatureKind.PICTURE_SPREAD)

OUTPUT_FEATURES = (
    FeatureKey(FeatureKind.LOGIT_MOMENTS),
    FeatureKey(FeatureKind.CLASS_SHARE),
    FeatureKey(FeatureKind.EXPECTED_IOU),
    *(FeatureKey.output_score(kind, aggregate) for kind in OUTPUT_SCORES for aggregate in Aggregate),
)
"""Every feature that is computed from the network's output."""
