# SPDX-License-Identifier: Apache-2.0
"""The monitor that a perception stack embeds: load a bundle, score frames, assess them."""

import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, SupportsIndex

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._answers import AnswerRule
from lsood_runtime._arguments import check_flag, check_text
from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.reader import VEHICLE_GRAPHS, open_bundle
from lsood_runtime._exceptions import FrameError, one_line
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.frame_check import check_batch, check_channels, check_each, check_frame, trusted_frame
from lsood_runtime._inference.loading import LoadOptions
from lsood_runtime._inference.noise import FrameNoise
from lsood_runtime._inference.picture_check import PictureChecker
from lsood_runtime._inference.providers import Provider, resolve_providers
from lsood_runtime._inference.scorer import Scorer
from lsood_runtime._inference.self_test import SelfTest
from lsood_runtime._inference.stamps import received_stamp, received_stamps, start_time
from lsood_runtime._stream.alarm_choice import choose_policy
from lsood_runtime._stream.policy import Policy
from lsood_runtime._stream.quality_drift import QualityDrift
from lsood_runtime._stream.shown_images import FROZEN_TOLERANCE
from lsood_runtime._stream.stream import Stream
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._tiles.check import DEFAULT_TILE_CHECK, TileCheck
from lsood_runtime._unknown_objects import WHOLE_FRAME, check_object_region
from lsood_runtime._verdict import VerdictRule, check_deadline, check_min_quality, finite_score


class OoDMonitor:
    """Scores camera frames by their distance from the training distribution.

    Loading verifies every file of the bundle and replays its golden frames. With fixed masks a frame's score depends on
    the frame alone: the same bits in any order, thread and process on one machine, at one number of threads. With fresh
    masks it also depends on chance. With masks from noise that is an input it depends on the frame and the noise: the
    caller's, or else the next of a sequence that the manifest's seed begins anew in every monitor.

    Every method may be called from several threads at once. A monitor is pickled as its arguments: the copy loads the
    bundle again from the same path, so that each worker process gets a monitor of its own. One that a forked process
    inherits is closed there, since the threads that it computes with stay with the parent.

    Args:
        bundle: the folder that ``python -m export`` wrote, or a ``.zip`` or ``.tar`` of it, which is read as it lies.
        providers: ONNX Runtime execution providers by name, short name (``cpu``, ``cuda``, ``tensorrt``, ``openvino``,
            ``qnn``, ``coreml``, ``directml``, ``xnnpack``), that of a plug-in whose library is registered, or
            ``(name, options)``, in order of preference; None for the CPU. One that does not load, or runs no node of a
            graph, is an error.
        allow_fallback: go on with the remaining providers, and at last the CPU, where one does not load or fails the first
            frames; :attr:`provider` and every assessment say which one runs.
        require_provider: refuse providers that leave nodes of a graph to the CPU provider, as most do with float64.
        threads: threads of the CPU provider within an operator; None for one a core.
        batch: frames of every call, fixed in the graphs: CUDA then folds shapes and captures graphs; None leaves it free.
        session_options: called with ONNX Runtime's options of each graph before it loads, to change them.
        channels: order of the frames' last axis, ``rgb`` or ``bgr``; None for the manifest's. Turned ones are copied once.
            ``grey``: frames ``(H, W)`` or ``(H, W, 1)``, which become three equal channels; ``rgba``, ``bgra``: frames
            ``(H, W, 4)``, whose fourth is left out. Such frames are refused otherwise.
        operating_point: name of one of the manifest's operating points; None for the one that the manifest names.
        min_quality: a frame is of LOW_QUALITY where the lower end of its expected quality is below it, or not known; above 0
            and at most 1, in the measure of the bundle; None for no such rule.
        object_region: where unknown objects are told: ``frame`` for anywhere; ``road`` for those of which a cell is segmented
            as a class that the bundle's ``--road-class`` names, or touches one that is.
        deadline_ms: a verdict that takes longer is LATE; None for no deadline.
        validate: check single frames before the graphs see them; unchecked, a wrong one is a ProviderError or a wrong score.
        tile_check: how raw frames are checked tile by tile, where ``validate`` is on; None for whole frames alone.
        self_test: replay the golden frames, which warms the provider up as well.
        self_test_seconds: for the golden frames together; None for 60 on the CPU, 1,800 where a run may build engines.
        expected_sha256: digest of the manifest, as export and ``lsood inspect`` print it: any other bundle is refused. None
            for any. Copies of a monitor always expect that of the bundle that it has loaded.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.
        keep_features: give each assessment its :attr:`Assessment.features`, by which frames are compared with each other.

    Raises:
        TypeError: an argument of another type; ValueError: a number, an order of channels, tiles or a region that cannot be.
        BundleError: the bundle is incomplete, damaged, another than expected, not signed with the key or of another schema,
            has no such operating point, or does not tell the quality that ``min_quality`` is about, or the road that
            ``object_region`` is about.
        ProviderError: a provider does not run here.
        SelfTestError: a golden frame does not get its score back, or they take too long.

    Example:
        >>> with OoDMonitor("monitor/") as monitor:  # doctest: +SKIP
        ...     score = monitor.score(frame)
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        providers: Sequence[Provider] | None = None,
        allow_fallback: bool = False,
        require_provider: bool = False,
        threads: int | None = None,
        batch: int | None = None,
        session_options: Callable[[ort.SessionOptions], None] | None = None,
        channels: str | None = None,
        operating_point: str | None = None,
        min_quality: float | None = None,
        object_region: str = WHOLE_FRAME,
        deadline_ms: float | None = None,
        validate: bool = True,
        tile_check: TileCheck | None = DEFAULT_TILE_CHECK,
        self_test: bool = True,
        self_test_seconds: float | None = None,
        expected_sha256: str | None = None,
        public_key: str | os.PathLike[str] | None = None,
        keep_features: bool = False,
    ) -> None:
        check_deadline(deadline_ms)
        check_channels(channels)
        load_options = LoadOptions(
            providers=resolve_providers(providers),
            allow_fallback=allow_fallback,
            require_provider=require_provider,
            threads=threads,
            batch=batch,
            session_options=session_options,
            self_test=self_test,
            self_test_seconds=self_test_seconds,
            keep_features=keep_features,
        )
        check_flag(validate, "validate")
        contents = open_bundle(bundle, VEHICLE_GRAPHS, expected_sha256=expected_sha256, public_key=public_key)
        self._reopen = functools.partial(
            OoDMonitor,
            Path(bundle).absolute(),
            **load_options.arguments,
            channels=channels,
            operating_point=operating_point,
            min_quality=min_quality,
            object_region=object_region,
            deadline_ms=deadline_ms,
            validate=validate,
            tile_check=tile_check,
            expected_sha256=contents.sealed.sha256,
            public_key=None if public_key is None else Path(public_key).absolute(),
        )
        self._manifest, self._manifest_sha256 = contents.manifest, contents.sealed.sha256
        self._validate, self._tile_check = validate, tile_check
        self._pictures = PictureChecker.of_bundle(validate, tile_check, contents)
        self._channels = channels or self._manifest.input.channels
        self._operating_point = self._manifest.choose_operating_point(operating_point)
        threshold = self._manifest.operating_points[self._operating_point].value
        part_names = tuple(part.name for part in self._manifest.detector.parts)
        check_min_quality(min_quality, self._manifest.answers)
        check_object_region(object_region, self._manifest.answers)
        scores, answers = self._manifest.calibration.scores, AnswerRule.of_bundle(self._manifest, object_region)
        self._rule = VerdictRule(threshold, scores, deadline_ms, part_names, answers, min_quality)
        self._scorer = Scorer(contents, load_options)

    def score(self, frame: object, noise: FrameNoise | None = None) -> float:
        """Score one camera frame.

        Args:
            frame: ``(H, W, 3)`` uint8 of the manifest's size; a numpy array or anything with DLPack (in CUDA memory too,
                where CUDA runs) or ``__array_interface__``; not modified. What is not contiguous is copied once.
            noise: for masks of mode ``input`` only, one ``(S, *shape)`` float32 array in [0, 1) for each of the manifest's
                ``masks.noise`` shapes; None draws the next ones.

        Returns:
            Score in the unit of the detector, nats for densities; higher is further from the training distribution; ``inf``,
            above any threshold, where the graphs give no finite number, or a part of it is not finite.

        Raises:
            FrameError: wrong rank, dtype, size or channel count, of the frame or the noise; the message names what was
                expected and what came. A camera loop calls :meth:`assess`, which turns it into a state.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        outcome = self._scorer.run(self._checked(frame), noise)
        return finite_score(outcome.scores[0], self._rule.parts(outcome.parts, 0).values())

    def score_batch(self, frames: object) -> NDArray[np.float64]:
        """Score several frames in one run, such as those of several cameras; to within the arithmetic of another batch.

        Args:
            frames: ``(B, H, W, 3)`` uint8 as for :meth:`score`, or a list of B frames, for ``(B,)`` scores.

        Raises:
            FrameError: as for :meth:`score`.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        batch = check_batch(frames, self._manifest.input, self._channels)
        outcome = self._scorer.run(batch)
        return np.array(
            [finite_score(score, self._rule.parts(outcome.parts, i).values()) for i, score in enumerate(outcome.scores)]
        )

    def assess(
        self, frame: object, noise: FrameNoise | None = None, *, stamp_ns: SupportsIndex | None = None
    ) -> Assessment:
        """Score one camera frame and decide its state; no defect of the frame raises an exception.

        Args:
            frame: as for :meth:`score`. One that breaks the contract, or is black, saturated or of one colour, as a whole
                or in the share of its tiles that ``tile_check`` states, is INVALID.
            noise: as for :meth:`score`.
            stamp_ns: of the frame, nanoseconds on any clock, an integer; None for now. Outside of 0 to 2**63 - 1 the frame is
                INVALID, with the time of receipt.

        Returns:
            The verdict, with the segmentation of the same pass.

        Raises:
            TypeError: the stamp is no integer.
            FrameError: the caller's own mistake: noise that does not fit, a fixed batch of several, memory of another device.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        return self.assess_since(time.perf_counter(), frame, noise, stamp_ns=stamp_ns)

    def assess_since(
        self,
        start: float,
        frame: object,
        noise: FrameNoise | None = None,
        *,
        stamp_ns: SupportsIndex | None = None,
        judge_tiles: bool = True,
    ) -> Assessment:
        """Assess a frame that has waited: latency and deadline count from ``start``, of ``time.perf_counter()``.

        Without ``judge_tiles`` faulty tiles leave the state alone: a stream counts frames. All else is as for :meth:`assess`.
        """
        check_flag(judge_tiles, "judge_tiles")
        stamp, start = received_stamp(stamp_ns), start_time(start)
        provider = self._scorer.graphs.provider
        try:
            checked = self._checked(frame)
        except FrameError as error:
            return self._rule.refused(error, provider, stamp, start)
        outcome = self._scorer.run(checked, noise)
        picture = self._pictures.look(checked)
        return self._rule.frame_verdict(outcome, 0, picture, provider, stamp, start, judge_tiles=judge_tiles)

    def assess_batch(
        self, frames: object, *, stamps_ns: Sequence[SupportsIndex | None] | None = None
    ) -> list[Assessment]:
        """Score several frames in one run and decide the state of each, such as those of several cameras.

        A frame that breaks the contract is INVALID by itself, and the others are scored.

        Args:
            frames: ``(B, H, W, 3)`` uint8 as for :meth:`score`, or a list of B frames.
            stamps_ns: one a frame, as for :meth:`assess`; None for now.

        Returns:
            B verdicts in the order of the frames; the latency of each is that of the call.

        Raises:
            TypeError: a stamp is no integer.
            ValueError: another number of stamps than of frames.
            FrameError: no batch of frames at all, another number of frames than a fixed batch has, memory of another device.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        start, provider = time.perf_counter(), self._scorer.graphs.provider
        checked = check_each(frames, self._manifest.input, self._channels)
        stamps = received_stamps(stamps_ns, len(checked))
        sound = [frame for frame in checked if not isinstance(frame, FrameError)]
        outcome = self._scorer.run_some(sound, len(checked)) if sound else None
        return self._rule.batch_verdicts(checked, outcome, self._pictures, provider, stamps, start)

    def report_invalid(self, reason: str, *, stamp_ns: SupportsIndex | None = None) -> Assessment:
        """Make the verdict on a frame that never became an image, such as one that could not be decoded: it is INVALID,
        without a score and a segmentation, with a latency of 0, since nothing ran.

        Args:
            reason: why there is no image, in one sentence.
            stamp_ns: as for :meth:`assess`.

        Raises:
            TypeError: the reason is no text, or the stamp no integer.
            ValueError: the reason is empty.
            ClosedError: the monitor was closed.
        """
        words = one_line(check_text(reason, "a reason in words", "say why there is no image"))
        if not words:
            raise ValueError("expected a reason, got an empty text: say why there is no image")
        provider, (stamp, _) = self._scorer.graphs.provider, received_stamp(stamp_ns)
        return self._rule.invalid(words, provider=provider, latency_ms=0.0, stamp_ns=stamp)

    def _checked(self, frame: object) -> Frame | DeviceFrame:
        if self._validate:
            return check_frame(frame, self._manifest.input, self._channels)
        return trusted_frame(frame, self._manifest.input, self._channels)

    def stream(
        self,
        policy: Policy | str,
        *,
        quality_policy: Policy | str | None = None,
        frozen_after_s: float | None = 1.0,
        frozen_tolerance: float = FROZEN_TOLERANCE,
        max_cameras: int = 1000,
        on_result: Callable[[StreamAssessment], None] | None = None,
    ) -> Stream:
        """Follow cameras over time; see :class:`Stream` for the arguments. A policy may be text: ``"3of5"``, or
        ``"1/h@30"`` for the rule that :func:`choose_alarm` finds for one false alarm an hour at 30 frames a second. With a
        ``quality_policy``, such as ``"cusum:1h@30"``, a fall of the expected quality raises an alarm of its own.

        Raises:
            TypeError: neither a policy nor text, or an argument of another type.
            ValueError: the bundle's calibration is too small for the policy, or the text is none.
            BundleError: the bundle does not tell the quality that ``quality_policy`` is about.
        """
        rule, point = choose_policy(policy, self._manifest, self._operating_point), self._operating_point
        return Stream(
            self,
            rule,
            frozen_after_s=frozen_after_s,
            frozen_tolerance=frozen_tolerance,
            max_cameras=max_cameras,
            on_result=on_result,
            quality=None if quality_policy is None else QualityDrift(quality_policy, self._manifest, point),
        )

    def self_test(self) -> SelfTest:
        """Replay the golden frames and compare their scores with those at export.

        Raises:
            ProviderError: ONNX Runtime failed.
            SelfTestError: they take longer than ``self_test_seconds``.
            ClosedError: the monitor was closed.
        """
        return self._scorer.self_test()

    def warm_up(self, rounds: int = 3) -> float:
        """Run golden frame 0 ``rounds`` times, so that the first camera frame finds memory and kernels ready.

        Returns:
            Milliseconds that the last round took.

        Raises:
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        return self._scorer.warm_up(rounds)

    @property
    def manifest(self) -> Manifest:
        """Metadata of the bundle."""
        return self._manifest

    @property
    def manifest_sha256(self) -> str:
        """Digest of the manifest in hex, as ``lsood inspect`` prints it."""
        return self._manifest_sha256

    @property
    def tile_check(self) -> TileCheck | None:
        """How raw frames are checked tile by tile; None where they are not."""
        return self._tile_check

    @property
    def threshold(self) -> float:
        """Score above which a frame is out of distribution."""
        return self._rule.threshold

    @property
    def operating_point(self) -> str:
        """Name of the operating point that set :attr:`threshold`."""
        return self._operating_point

    @property
    def provider(self) -> str:
        """Full name of the execution provider that runs; a monitor that was closed raises a ClosedError."""
        return self._scorer.graphs.provider

    def close(self) -> None:
        """Release both graphs once the frames under way are through; closing again does nothing."""
        self._scorer.close()

    def __repr__(self) -> str:
        """Bundle, provider and threshold."""
        state = self._scorer.graphs.provider if self._scorer.is_open else "closed"
        return f"OoDMonitor({self._manifest.name!r}, {state}, {self._operating_point} above {self.threshold:.6g})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[], "OoDMonitor"], tuple[()]]:
        return self._reopen, ()
