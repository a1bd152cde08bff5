# SPDX-License-Identifier: Apache-2.0
"""Measure the features of frames with a bundle's graphs, to fit and compare detectors; needs no torch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.errors import UsageError
from export.features.key import FeatureKind
from export.graphs.evaluation_outputs import EVALUATION, OUTPUT_SCORES
from export.graphs.monitor_forms import run_graph
from export.graphs.noise import NoiseSource
from lsood_runtime import Manifest
from lsood_runtime.offline import WEIGHTS_FILE, Bundle, open_bundle, session_options


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Features of one frame.

    Attributes:
        entropy: ``(C,)`` float32, nats.
        score: of the bundle's own detector.
        moments: ``(2 C,)`` float32: mean, then log standard deviation of each tapped channel, without any sampling.
        output_scores: ``(4,)`` float32, the columns of ``export.graphs.evaluation_outputs.OUTPUT_SCORES``; ``(0,)`` for a
            bundle without segmentation.
        segmentation: ``(h, w)`` uint8 classes; None for a bundle without segmentation.
    """

    entropy: NDArray[np.float32]
    score: float
    moments: NDArray[np.float32]
    output_scores: NDArray[np.float32]
    segmentation: NDArray[np.uint8] | None


class EvaluationGraphs:
    """A bundle's evaluation graph and detector on the CPU.

    Masks that are not fixed are drawn from the seed in the manifest, anew in every instance.

    Attributes:
        contents: the verified bundle in memory; later changes of its folder have no effect.
        manifest: of the bundle.

    Args:
        bundle: the folder; every file of it is read once and verified.
        threads: of ONNX Runtime within an operator; None for one a core.

    Raises:
        BundleError: the bundle is incomplete, damaged or of another schema.
        UsageError: it has no evaluation graph.
    """

    def __init__(self, bundle: Path, threads: int | None = None) -> None:
        self.contents: Bundle = open_bundle(bundle)
        self.manifest: Manifest = self.contents.manifest
        if EVALUATION not in self.contents.files:
            raise UsageError(f"expected {EVALUATION} in {bundle}, the bundle has none: export it again")
        self._evaluation, self._detector = (
            _session(graph, self.contents.weights, threads)
            for graph in (self.contents.files[EVALUATION], self.contents.detector)
        )
        masks = self.manifest.masks
        self._noise = NoiseSource(masks.noise, masks.count, masks.seed)

    def __call__(self, frame: NDArray[np.uint8]) -> FrameFeatures:
        """Measure the features of one ``(H, W, 3)`` uint8 frame in the bundle's channel order and size.

        Raises:
            UsageError: a frame of another size.
        """
        contract = self.manifest.input
        if frame.shape != (contract.frame_height, contract.frame_width, 3):
            raise UsageError(
                f"expected frames of {contract.frame_width}x{contract.frame_height}, as the bundle takes them, "
                f"got {frame.shape[1]}x{frame.shape[0]}: one bundle is for one camera"
            )
        outputs = run_graph(self._evaluation, frame[None], self._noise.draw())
        entropy, score = self._detector.run(["entropy", "score"], {"latent_samples": outputs["latent_samples"]})
        segmentation: NDArray[Any] | None = outputs["segmentation"][0] if "segmentation" in outputs else None
        if self.manifest.segmentation.kind == "logits" and segmentation is not None:
            segmentation = segmentation.argmax(axis=0).astype(np.uint8)
        return FrameFeatures(
            entropy[0],
            float(score[0]),
            outputs["latent_moments"][0].ravel(),
            outputs["output_scores"][0] if "output_scores" in outputs else np.zeros(0, np.float32),
            segmentation,
        )


def _session(graph: bytes, weights: dict[str, bytes], threads: int | None) -> ort.InferenceSession:
    options = session_options(threads)
    if weights:
        buffer = weights[WEIGHTS_FILE]
        options.add_external_initializers_from_files_in_memory([WEIGHTS_FILE], [buffer], [len(buffer)])
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N frames in the order of recording.

    Attributes:
        names: ``(N,)`` str, the frames' paths.
        entropy: ``(N, C)`` float32, nats.
        score: ``(N,)`` float64, of the bundle that measured them.
        moments: ``(N, 2 C)`` float32.
        output_scores: ``(N, 4)`` float32, or ``(N, 0)``.
    """

    names: NDArray[np.str_]
    entropy: NDArray[np.float32]
    score: NDArray[np.float64]
    moments: NDArray[np.float32]
    output_scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def output_kinds(self) -> tuple[FeatureKind, ...]:
        """Kinds of the output's own scores; none for a bundle without segmentation."""
        return tuple(FeatureKind(name) for name in OUTPUT_SCORES[: self.output_scores.shape[1]])

    def rows(self, kind: FeatureKind) -> NDArray[np.float32]:
        """Features of one kind, ``(N, D)``; D = 1 for a score of the output, which the bundle must give."""
        if kind is FeatureKind.ENTROPY:
            return self.entropy
        if kind is FeatureKind.MOMENTS:
            return self.moments
        column = self.output_kinds.index(kind)
        return self.output_scores[:, column : column + 1]

    @classmethod
    def collect(cls, rows: Iterable[tuple[str, FrameFeatures]]) -> Self:
        """Stack the features of named frames.

        Raises:
            UsageError: no row at all.
        """
        listed = list(rows)
        if not listed:
            raise UsageError("expected at least one frame, got none: check the folders")
        names, features = zip(*listed, strict=True)
        return cls(
            np.array(names, np.str_),
            np.stack([row.entropy for row in features]),
            np.array([row.score for row in features]),
            np.stack([row.moments for row in features]),
            np.stack([row.output_scores for row in features]),
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Join the frames of several measurements, in the order given.

        Raises:
            UsageError: no part, or parts that were measured with different taps.
        """
        listed = list(parts)
        if len({(part.entropy.shape[1], part.output_scores.shape[1]) for part in listed}) != 1:
            raise UsageError(
                "expected one or more sets of features of one tap, got none or several: measure them alike"
            )
        return cls(*(np.concatenate([getattr(part, field.name) for part in listed]) for field in fields(cls)))


def measure(
    graphs: EvaluationGraphs, frames: Iterable[tuple[str, NDArray[np.uint8]]]
) -> Iterator[tuple[str, FrameFeatures]]:
    """Run named frames through the graphs, one at a time.

    Raises:
        UsageError: a frame of another size, or one whose entropies are not finite; the message names it.
    """
    for name, frame in frames:
        try:
            features = graphs(frame)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error
        if not np.isfinite(features.entropy).all():
            raise UsageError(
                f"expected finite entropies, the frame {name} gives NaN or infinity: look at it, or drop it"
            )
        yield name, features
