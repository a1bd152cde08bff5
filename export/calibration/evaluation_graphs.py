# SPDX-License-Identifier: Apache-2.0
"""Measure the features of frames with a bundle's graphs, to fit and compare detectors; needs no torch."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.detectors.entropy import latent_entropy
from export.errors import UsageError
from export.features.frames import FrameFeatures
from export.features.key import LATENT_SAMPLES, OUTPUT_SCORES, FeatureKey, FeatureKind
from export.graphs.evaluation_outputs import EVALUATION, SEGMENTATION
from export.graphs.monitor_forms import run_graph
from export.graphs.noise import NoiseSource
from lsood_runtime import Manifest
from lsood_runtime.offline import WEIGHTS_FILE, AnswerRule, Bundle, open_bundle, session_options

_OLD_MOMENTS, _OLD_SCORES = "latent_moments", "output_scores"

_ON_GRIDS = tuple(
    f"{kind}/"
    for kind in (FeatureKind.TILES, FeatureKind.PICTURE_TILES, FeatureKind.LOGIT_MAP, FeatureKind.FEATURE_MAP)
)
"""How the names of features begin that are of tiles or cells, and too many to be kept of all frames."""


class EvaluationGraphs:
    """A bundle's evaluation graph and detector on the CPU.

    Masks that are not fixed are drawn from the seed in the manifest, anew in every instance.

    Attributes:
        contents: the verified bundle in memory; later changes of its folder have no effect.
        manifest: of the bundle.
        tap_layers: names under which the taps' moments are found among the features; one for all taps together where the
            bundle is of schema 2.

    Args:
        bundle: the folder; every file of it is read once and verified.
        threads: of ONNX Runtime within an operator; None for one a core.
        expected_sha256: of its manifest; None for any.

    Raises:
        BundleError: the bundle is incomplete, damaged or of another schema.
        UsageError: it has no evaluation graph.
    """

    def __init__(self, bundle: Path, threads: int | None = None, *, expected_sha256: str | None = None) -> None:
        self.contents: Bundle = open_bundle(bundle, expected_sha256=expected_sha256)
        self.manifest: Manifest = self.contents.manifest
        if EVALUATION not in self.contents.files:
            raise UsageError(f"expected {EVALUATION} in {bundle}, the bundle has none: export it again")
        self._evaluation, self._detector = (
            _session(graph, self.contents.weights, threads)
            for graph in (self.contents.files[EVALUATION], self.contents.detector)
        )
        taps = self.manifest.tap.layers
        concatenated = _OLD_MOMENTS in {value.name for value in self._evaluation.get_outputs()}
        self.tap_layers: tuple[str, ...] = (" + ".join(taps),) if concatenated else taps
        self._detector_inputs = [value.name for value in self._detector.get_inputs()]
        self._part_names = tuple(part.name for part in self.manifest.detector.parts)
        record = self.manifest.answers
        self._answer_rule = AnswerRule.of_bundle(self.manifest)
        self._answer_names = () if record is None else tuple(record.shapes())
        wanted = ("score", "entropy", *(["parts"] if self._part_names else []), *self._answer_names)
        self._detector_outputs = [value.name for value in self._detector.get_outputs() if value.name in wanted]
        names = (value.name for value in self._evaluation.get_outputs())
        self._grid_outputs = tuple(name for name in names if name.startswith(_ON_GRIDS))
        masks = self.manifest.masks
        self._noise = NoiseSource(masks.noise, masks.count, masks.seed)

    def skip(self, frames: int) -> None:
        """Leave out the noise of so many frames, which another run or process has measured."""
        self._noise.skip(frames)

    @property
    def passes(self) -> int:
        """Passes so far, those whose noise was left out among them."""
        return self._noise.batches

    @property
    def available(self) -> tuple[FeatureKey, ...]:
        """Features that a detector of the vehicle can read: of a bundle of schema 2 the entropies alone.

        What is read of tiles, and maps, are not among them: only :attr:`tiles` and :attr:`maps` have them.
        """
        names = [value.name for value in self._evaluation.get_outputs()]
        if _OLD_MOMENTS in names:
            return (FeatureKey.entropy(),)
        known = (name for name in names if name not in (SEGMENTATION, LATENT_SAMPLES))
        return tuple(key for key in (FeatureKey.entropy(), *map(FeatureKey.parse, known)) if key.grid is None)

    @property
    def tiles(self) -> tuple[FeatureKey, ...]:
        """Keys of what is read of tiles; none where the bundle was exported without them."""
        return tuple(key for key in map(FeatureKey.parse, self._grid_outputs) if not key.is_map)

    @property
    def maps(self) -> tuple[FeatureKey, ...]:
        """Maps that an anomaly map may be made of; none where the bundle was exported without them."""
        return tuple(key for key in map(FeatureKey.parse, self._grid_outputs) if key.is_map)

    @property
    def row_bytes(self) -> int:
        """Bytes of all features of a frame, what is read of tiles, and maps left out."""
        widths: dict[str, int] = {value.name: math.prod(value.shape[1:]) for value in self._evaluation.get_outputs()}
        unread = (SEGMENTATION, LATENT_SAMPLES, *self._grid_outputs)
        read = sum(width for name, width in widths.items() if name not in unread)
        return 4 * (read + self.manifest.tap.channels)

    def __call__(self, frame: NDArray[np.uint8]) -> FrameFeatures:
        """Measure the features of one ``(H, W, 3)`` uint8 frame in the bundle's channel order and size.

        What is read of tiles, and maps, which are large, are left out.

        Raises:
            UsageError: a frame of another size.
        """
        return self.with_maps(frame)[0]

    def with_maps(self, frame: NDArray[np.uint8]) -> tuple[FrameFeatures, dict[FeatureKey, NDArray[np.float32]]]:
        """The same features, and the maps of :attr:`maps`, ``(D,)`` each, from one pass.

        Raises:
            UsageError: a frame of another size.
        """
        contract = self.manifest.input
        if frame.shape != (contract.frame_height, contract.frame_width, 3):
            raise UsageError(
                f"expected frames of {contract.frame_height} x {contract.frame_width} (height x width), as the "
                f"bundle takes them, got {frame.shape[0]} x {frame.shape[1]}: one bundle is for one camera"
            )
        outputs = run_graph(self._evaluation, frame[None], self._noise.draw())
        fed = {name: outputs[name] for name in self._detector_inputs}
        given = dict(zip(self._detector_outputs, self._detector.run(self._detector_outputs, fed), strict=True))
        segmentation = self._class_map(outputs)
        outputs.pop(SEGMENTATION, None)
        latent_samples = outputs.pop(LATENT_SAMPLES)[0]
        maps = {key: outputs[str(key)][0] for key in self.maps}
        for name in self._grid_outputs:
            del outputs[name]
        values = {FeatureKey.entropy(): given["entropy"][0] if "entropy" in given else self._entropy(latent_samples)}
        for name, value in self._by_todays_names(outputs).items():
            values[FeatureKey.parse(name)] = value[0]
        shares = given["parts"][0] if self._part_names else []
        parts = {name: float(share) for name, share in zip(self._part_names, shares, strict=True)}
        answers = self._answer_rule.answers({name: given[name] for name in self._answer_names}, 0, segmentation)
        return FrameFeatures(float(given["score"][0]), values, segmentation, parts, answers), maps

    def of_tiles(self, frame: NDArray[np.uint8]) -> dict[FeatureKey, NDArray[np.float32]]:
        """What is read of the tiles of a frame of the bundle's size, by key; nothing of a bundle that gives none."""
        outputs = run_graph(self._evaluation, frame[None], self._noise.draw())
        return {key: outputs[str(key)][0] for key in self.tiles}

    def of_maps(
        self, frame: NDArray[np.uint8]
    ) -> tuple[dict[FeatureKey, NDArray[np.float32]], NDArray[np.uint8] | None]:
        """Maps of a frame of the bundle's size, by key, and its class map; no maps of a bundle that gives none."""
        outputs = run_graph(self._evaluation, frame[None], self._noise.draw())
        return {key: outputs[str(key)][0] for key in self.maps}, self._class_map(outputs)

    def _class_map(self, outputs: dict[str, NDArray[Any]]) -> NDArray[np.uint8] | None:
        """``(h, w)`` of the outputs of one frame; None without a segmentation."""
        segmentation: NDArray[Any] | None = outputs[SEGMENTATION][0] if SEGMENTATION in outputs else None
        if self.manifest.segmentation.kind == "logits" and segmentation is not None:
            segmentation = segmentation.argmax(axis=0)
        return None if segmentation is None else segmentation.astype(np.uint8, copy=False)

    def _entropy(self, latent_samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Entropies of a frame for a detector that does not read them."""
        record = self.manifest.entropy
        return latent_entropy(latent_samples, record.neighbors, record.min_dist).astype(np.float32)

    def _by_todays_names(self, outputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by the names of their keys; a bundle of schema 2 gives the moments of all taps and four scores together."""
        if _OLD_MOMENTS not in outputs:
            return outputs
        (layer,) = self.tap_layers
        renamed = {str(FeatureKey.moments(layer)): outputs[_OLD_MOMENTS].reshape(1, -1)}
        scores = outputs.get(_OLD_SCORES, np.zeros((1, 0), np.float32))
        for i, kind in enumerate(OUTPUT_SCORES[: scores.shape[1]]):
            renamed[str(FeatureKey.output_score(kind))] = scores[:, i : i + 1]
        return renamed


def _session(graph: bytes, weights: dict[str, bytes], threads: int | None) -> ort.InferenceSession:
    options = session_options(threads)
    if weights:
        buffer = weights[WEIGHTS_FILE]
        options.add_external_initializers_from_files_in_memory([WEIGHTS_FILE], [buffer], [len(buffer)])
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def measure(
    graphs: EvaluationGraphs, frames: Iterable[tuple[str, NDArray[np.uint8]]]
) -> Iterator[tuple[str, FrameFeatures]]:
    """Run named frames through the graphs, one at a time.

    Raises:
        UsageError: a frame of another size, or one with a feature that is not finite; the message names it.
    """
    for name, frame in frames:
        try:
            features = graphs(frame)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error
        for key, values in features.values.items():
            if not np.isfinite(values).all():
                raise UsageError(
                    f"expected finite features, the frame {name} gives NaN or infinity in {key}: look at it, or drop it"
                )
        yield name, features
