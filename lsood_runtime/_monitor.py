# SPDX-License-Identifier: Apache-2.0
"""The monitor that a perception stack embeds."""

import math
import os
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle import DETECTOR, SEGMENTATION, open_bundle
from lsood_runtime._exceptions import BundleError, ClosedError, SelfTestError
from lsood_runtime._frames import Frame, Noise, check_frame, check_noise
from lsood_runtime._manifest import Manifest
from lsood_runtime._providers import CPU, Graph, Provider, Signature, resolve_providers


class OoDMonitor:
    """Scores camera frames by their distance from the training distribution.

    Loading verifies every file of the bundle and replays its golden frames. With fixed masks a frame's score depends on
    the frame alone: the same bits in any order and any process on one machine, at one number of threads. With fresh masks
    it also depends on chance. With masks from noise that is an input it depends on the frame and the noise: the caller's,
    or else the next of a sequence that the manifest's seed begins anew in every monitor.

    Args:
        bundle: the folder that ``python -m export`` wrote.
        providers: ONNX Runtime execution providers by name, short name (``cpu``, ``cuda``, ``tensorrt``) or
            ``(name, options)``; None for the CPU. One that does not load is an error, never replaced.
        threads: threads of the CPU provider within an operator; None for one a core.
        self_test: replay the golden frames, which warms the provider up as well.
        operating_point: name of one of the manifest's operating points; None for the one that the manifest names.

    Raises:
        BundleError: the bundle is incomplete, damaged or of another schema, or has no such operating point.
        ProviderError: a provider does not run here.
        SelfTestError: a golden frame does not get its score back.

    Example:
        >>> with OoDMonitor("monitor/") as monitor:  # doctest: +SKIP
        ...     score = monitor.score(frame)
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        self_test: bool = True,
        operating_point: str | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"expected at least one thread, got {threads}")
        resolved = resolve_providers(providers)
        contents = open_bundle(bundle)
        self._manifest = contents.manifest
        points = self._manifest.operating_points
        chosen = self._manifest.operating_point if operating_point is None else operating_point
        if chosen not in points:
            raise BundleError(f"expected an operating point of the bundle ({', '.join(points)}), got {chosen!r}")
        self._operating_point, self._threshold = chosen, points[chosen].value
        self._calibration = np.array(contents.manifest.calibration.scores)
        self._provider = resolved[0][0]
        self._noise_source, self._noise_lock = np.random.default_rng(contents.manifest.masks.seed), threading.Lock()
        frame, segmentation, latent_samples, verdict = _signatures(contents.manifest)
        shared = (contents.weights, resolved, threads)
        self._outputs = [*segmentation, *latent_samples]
        self._graphs: tuple[Graph, Graph] | None = (
            Graph(SEGMENTATION, contents.segmentation, *shared, frame, {**segmentation, **latent_samples}),
            Graph(DETECTOR, contents.detector, *shared, latent_samples, verdict),
        )
        if self_test:
            self._replay(contents.golden_frames, contents.golden_scores, contents.golden_noise)

    def score(self, frame: Frame, noise: Noise | None = None) -> float:
        """Score one camera frame.

        Args:
            frame: ``(H, W, 3)`` uint8 in the manifest's channel order and size; not modified. Views are copied once.
            noise: for masks of mode ``input`` only, one ``(S, *shape)`` float32 array in [0, 1) for each of the manifest's
                ``masks.noise`` shapes; None draws the next ones.

        Returns:
            Score in the unit of the detector, nats for densities; higher is further from the training distribution; ``inf``,
            above any threshold, where the graphs give no finite number.

        Raises:
            FrameError: wrong rank, dtype, size or channel count, of the frame or the noise; the message names what was
                expected and what came.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        return self._run(frame, noise)[0]

    def assess(self, frame: Frame, noise: Noise | None = None) -> Assessment:
        """Score one camera frame and say what to make of it.

        Args:
            frame: as for :meth:`score`.
            noise: as for :meth:`score`.

        Returns:
            The verdict, with the segmentation of the same pass.

        Raises:
            FrameError: as for :meth:`score`.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        start = time.perf_counter()
        score, segmentation = self._run(frame, noise)
        threshold = self._threshold
        if not math.isfinite(score):
            state, p_value = State.INVALID, math.nan
        else:
            state = State.OUT_OF_DISTRIBUTION if score > threshold else State.OK
            count = len(self._calibration)
            p_value = (1 + count - int(np.searchsorted(self._calibration, score, side="left"))) / (count + 1)
        latency_ms = 1e3 * (time.perf_counter() - start)
        return Assessment(
            score, p_value, state is not State.OK, threshold, segmentation, state, self._provider, latency_ms
        )

    def _run(self, frame: Any, noise: Noise | None) -> tuple[float, Any]:
        if self._graphs is None:
            raise ClosedError("expected an open monitor, this one was closed: make a new OoDMonitor")
        feed: dict[str, NDArray[Any]] = {"frame": check_frame(frame, self._manifest.input)[None]}
        if noise is not None or self._manifest.masks.noise:
            masks = self._manifest.masks
            values = self._draw() if noise is None else check_noise(noise, masks)
            feed |= {f"noise_{i}": value[None] for i, value in enumerate(values)}
        network, detector = self._graphs
        *segmentation, latent_samples = network.run(self._outputs, feed)
        (scores,) = detector.run(["score"], {"latent_samples": latent_samples})
        score = float(scores[0])
        # NaN > threshold is false: a consumer who compares by hand would take an ill monitor for a good frame.
        return score if math.isfinite(score) else math.inf, segmentation[0][0] if segmentation else None

    def _draw(self) -> list[NDArray[np.float32]]:
        masks = self._manifest.masks
        with self._noise_lock:
            return [self._noise_source.random((masks.count, *shape), dtype=np.float32) for shape in masks.noise]

    def _replay(self, frames: Frame, scores: NDArray[np.float64], noise: tuple[NDArray[np.float32], ...]) -> None:
        tolerance = self._manifest.golden.tolerance["cpu" if self._provider == CPU else "gpu"]
        for i, (frame, expected) in enumerate(zip(frames, scores, strict=True)):
            score = self.score(frame, [values[i] for values in noise] if noise else None)
            if not abs(score - expected) <= tolerance:
                raise SelfTestError(
                    f"expected golden frame {i} to score {expected:.6g} within {tolerance:.3g}, got {score:.6g} "
                    f"on {self._provider}: this machine computes something else than the exporter; do not rely on it"
                )

    @property
    def manifest(self) -> Manifest:
        """The bundle's account of itself."""
        return self._manifest

    @property
    def threshold(self) -> float:
        """Score above which a frame is out of distribution."""
        return self._threshold

    @property
    def operating_point(self) -> str:
        """Name of the operating point that set :attr:`threshold`."""
        return self._operating_point

    @property
    def provider(self) -> str:
        """Full name of the execution provider that runs."""
        return self._provider

    def close(self) -> None:
        """Release both graphs; closing again does nothing."""
        self._graphs = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _signatures(manifest: Manifest) -> tuple[Signature, Signature, Signature, Signature]:
    """What the manifest says of the frame, the segmentation, the latent samples and the verdict in the graphs."""
    contract, segmentation, channels = manifest.input, manifest.segmentation, manifest.tap.channels
    size = (segmentation.height, segmentation.width)
    of_kind: dict[str, Signature] = {
        "none": {},
        "classes": {"segmentation": ("tensor(uint8)", size)},
        "logits": {"segmentation": ("tensor(float)", (segmentation.num_classes, *size))},
    }
    noise: Signature = {
        f"noise_{i}": ("tensor(float)", (manifest.masks.count, *shape)) for i, shape in enumerate(manifest.masks.noise)
    }
    return (
        {"frame": ("tensor(uint8)", (contract.frame_height, contract.frame_width, 3)), **noise},
        of_kind[segmentation.kind],
        {"latent_samples": ("tensor(float)", (manifest.masks.count, channels))},
        {"entropy": ("tensor(float)", (channels,)), "score": ("tensor(double)", ())},
    )
