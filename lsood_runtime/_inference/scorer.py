# SPDX-License-Identifier: Apache-2.0
"""Run frames through the loaded graphs of a bundle until it is closed."""

import time
from collections.abc import Sequence

import numpy as np

from lsood_runtime._arguments import check_count
from lsood_runtime._bundle.reader import Bundle
from lsood_runtime._exceptions import ClosedError, FrameError
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.forks import guard_forks
from lsood_runtime._inference.frame_pass import Outcome
from lsood_runtime._inference.loaded_graphs import LoadedGraphs
from lsood_runtime._inference.loading import LoadOptions, load_graphs
from lsood_runtime._inference.noise import FrameNoise, FrameNoiseSource, check_noise
from lsood_runtime._inference.self_test import SelfTest, golden_score, replay
from lsood_runtime._text.counted import counted


class Scorer:
    """Holds both graphs, the golden frames and the noise of a bundle; threads may share one.

    Args:
        bundle: verified; its bytes are let go once the graphs are loaded.
        options: how they are loaded.

    Raises:
        BundleError: a graph cannot be loaded, or has other inputs or outputs than the manifest states.
        ProviderError: no provider that may be tried runs here.
        SelfTestError: a golden frame does not get its score back.
    """

    def __init__(self, bundle: Bundle, options: LoadOptions) -> None:
        self._masks, self._golden, self._batch = bundle.manifest.masks, bundle.golden, options.batch
        self._noise, self._self_test_seconds = FrameNoiseSource(self._masks), options.self_test_seconds
        self._graphs: LoadedGraphs | None = load_graphs(bundle, options)
        self._closed_by = "this one was closed"
        guard_forks(self)

    @property
    def graphs(self) -> LoadedGraphs:
        """Both graphs.

        Raises:
            ClosedError: they were released, or belong to the process that forked this one.
        """
        graphs = self._graphs
        if graphs is None:
            raise ClosedError(f"expected an open monitor, {self._closed_by}: make a new OoDMonitor")
        return graphs

    def run(self, frames: Frame | DeviceFrame, noise: FrameNoise | None = None) -> Outcome:
        """Score checked frames.

        Args:
            frames: a batch.
            noise: of a single frame; None draws it where the graph takes noise.

        Raises:
            FrameError: another batch than the fixed one, noise that does not fit, or memory of another device.
            ProviderError: ONNX Runtime failed.
            ClosedError: the graphs were released.
        """
        graphs = self.graphs
        if self._batch not in (None, frames.shape[0]):
            raise FrameError(
                f"expected {counted(self._batch, 'frame')} in every call, as batch={self._batch} fixes them, "
                f"got {frames.shape[0]}"
            )
        if noise is None:
            values = self._noise.draw(frames.shape[0])
        else:
            values = [value[None] for value in check_noise(noise, self._masks)]
        return graphs.frame_pass.run(frames, dict(zip(self._masks.noise_names, values, strict=True)))

    def run_some(self, frames: Sequence[Frame], count: int) -> Outcome:
        """Score checked single frames in one run of ``count`` frames where the batch is fixed, which the first one fills up.

        Args:
            frames: ``(1, H, W, 3)`` each, one or more.
            count: frames of the caller's batch, those among them that are not scored.

        Returns:
            Of which the first places are those of the frames.

        Raises:
            FrameError: another count than the fixed batch.
            ProviderError: ONNX Runtime failed.
            ClosedError: the graphs were released.
        """
        fill = 0 if self._batch is None else count - len(frames)
        return self.run(np.concatenate([*frames, *[frames[0]] * fill]))

    @property
    def is_open(self) -> bool:
        """Whether the graphs are held."""
        return self._graphs is not None

    def self_test(self) -> SelfTest:
        """Replay the golden frames.

        Raises:
            ProviderError: ONNX Runtime failed.
            SelfTestError: they take too long.
            ClosedError: the graphs were released.
        """
        return replay(self.graphs, self._golden, self._batch, self._self_test_seconds)

    def warm_up(self, rounds: int) -> float:
        """Run golden frame 0 ``rounds`` times; the result is the last round's milliseconds.

        Raises:
            TypeError: no whole number of rounds.
            ValueError: fewer than one.
            ProviderError: ONNX Runtime failed.
            ClosedError: the graphs were released.
        """
        count = check_count(rounds, "at least one round", "3 is the default")
        graphs, start = self.graphs, 0.0
        for _ in range(count):
            start = time.perf_counter()
            golden_score(graphs, self._golden, 0, self._batch)
        return 1e3 * (time.perf_counter() - start)

    def leave_to_parent(self) -> object:
        """Let go of both graphs in a forked process, and give them, see :mod:`lsood_runtime._inference.forks`."""
        graphs, self._graphs = self._graphs, None
        self._closed_by = "this one was inherited by a fork, where its threads are missing"
        return graphs

    def close(self) -> None:
        """Release both graphs once the frames under way are through; closing again does nothing."""
        self._graphs = None
