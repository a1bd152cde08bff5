# SPDX-License-Identifier: Apache-2.0
"""Count what a running vehicle assesses, day by day, and write the summaries of days that are over."""

import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from lsood_runtime._arguments import check_count, check_path, check_text, check_type
from lsood_runtime._assessment import Assessment
from lsood_runtime._exceptions import MediaError, one_line
from lsood_runtime._fleet.daily_summary import DailySummary, summary_day
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._fleet.held_days import DayCopy, HeldDays
from lsood_runtime._fleet.summary_counts import SummaryCounts
from lsood_runtime._fleet.summary_file import import_pyarrow, write_summaries
from lsood_runtime._inference.forks import guard_forks
from lsood_runtime._inference.stamps import integer_stamp
from lsood_runtime._stream.camera_names import check_camera
from lsood_runtime._stream.stream_assessment import StreamAssessment

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from prometheus_client.registry import Collector

_LOG = logging.getLogger("lsood_runtime")


class ScoringMonitor(Protocol):
    """What a recorder needs of a monitor: an :class:`OoDMonitor`, for instance."""

    @property
    def manifest_sha256(self) -> str:
        """Digest of the bundle's manifest."""

    @property
    def threshold(self) -> float:
        """Score above which a frame is out of distribution."""


class SummaryRecorder:
    """Counts the frames of a vehicle in a summary for each camera and day; every method may be called from any thread.

    The day of a frame is that of its stamp, in UTC; a stamp that is no time of day, as one that counts from 0, takes the day
    of this machine's clock. With a ``folder``, days are written when the first frame of another day comes, by :meth:`write`,
    and on leaving: a file ``VEHICLE-DAY-START-NUMBER.parquet``, which a later write of the same day replaces. A process that
    begins anew writes files of its own, and all of them add up exactly. The days that are over are written in a thread of
    their own: no frame waits for the disk. What cannot be written there is logged, kept, and tried again.

    Args:
        monitor: that assesses the frames.
        vehicle: its name.
        folder: for the files; None where :attr:`summaries` or metrics are enough.

    Raises:
        TypeError: an argument of another type.
        ValueError: the name is empty, or cannot be written.
        MediaError: there is no such folder, or pyarrow is missing.

    Example:
        >>> with SummaryRecorder(monitor, vehicle="car-17", folder="summaries/") as recorder:  # doctest: +SKIP
        ...     stream = monitor.stream("1/h@10", on_result=recorder.add)
    """

    def __init__(self, monitor: ScoringMonitor, *, vehicle: str, folder: str | os.PathLike[str] | None = None) -> None:
        parts = getattr(monitor, "manifest_sha256", None), getattr(monitor, "threshold", None)
        check_type(parts[0], str, "an OoDMonitor", "pass the one that assesses the frames")
        self._bundle, self._threshold = monitor.manifest_sha256, monitor.threshold
        self._vehicle = check_text(vehicle, "the name of a vehicle", 'pass one such as "car-17"')
        _check_name(vehicle, "vehicle")
        self._folder = None
        if folder is not None:
            self._folder = Path(check_path(folder, "the path of a folder, or None", "pass one for the files"))
            import_pyarrow("writing daily summaries")
            if not self._folder.is_dir():
                raise MediaError(f"expected a folder for daily summaries, got {folder}: make it first")
        self._number = 0
        self._begin()
        guard_forks(self)

    def _begin(self) -> None:
        self._held, self._start_ns = HeldDays(self._vehicle, self._bundle, self._threshold), time.time_ns()
        self._files: dict[date, Path] = {}
        self._written: dict[date, int] = {}  # changes of each held day that its file has
        # of the counts, and of the files, which is always taken first
        self._lock, self._disk = threading.Lock(), threading.Lock()
        self._writer: threading.Thread | None = None
        self._is_asked = False

    def add(self, result: StreamAssessment | Assessment, camera: str = "camera") -> None:
        """Count a frame; pass it to a stream as ``on_result``.

        Args:
            result: of a stream, or of the monitor alone, which raises no alarms.
            camera: its name, where no stream says it.

        Raises:
            TypeError: neither of them, or a name that is no text.
            ValueError: it was scored with another threshold than the monitor's, or the name is empty or cannot be written.
        """
        check_type(result, (StreamAssessment, Assessment), "an assessment", "pass what stream.assess gives")
        check_camera(camera)
        facts = FrameFacts.of_assessment(result, camera)
        if facts.threshold != self._threshold:
            raise ValueError(
                f"expected a frame that was scored with the threshold {self._threshold:g}, got one with {facts.threshold:g}: "
                "make a recorder for each monitor"
            )
        self._count(facts.camera, facts.stamp_ns, facts)

    def add_dropped(self, count: int = 1, *, camera: str = "camera", stamp_ns: int | None = None) -> None:
        """Count frames that were never scored, such as those for which ``LatestFrameWorker.submit`` gives False.

        Args:
            count: of them.
            camera: its name.
            stamp_ns: of one of them; None for now.

        Raises:
            TypeError: no integer, or a name that is no text.
            ValueError: a count below 0, or a name that is empty or cannot be written.
        """
        dropped = check_count(count, "a number of dropped frames", "pass 1 for one", least=0)
        check_camera(camera)
        self._count(camera, time.time_ns() if stamp_ns is None else integer_stamp(stamp_ns), dropped)

    def _count(self, camera: str, stamp_ns: int, frame: FrameFacts | int) -> None:
        _check_name(camera, "camera")
        day = summary_day(stamp_ns) or _today()
        with self._lock:
            is_new = self._held.add(day, camera, frame)
            if is_new and len(self._held) > 1 and self._folder is not None:
                self._ask_writer()

    def _ask_writer(self) -> None:
        """Let a thread write what is held, or the one that does so do it once more; the lock is held."""
        self._is_asked = True
        if self._writer is not None and self._writer.is_alive():
            return
        self._writer = threading.Thread(target=self._write_over, name="lsood-summaries")
        try:
            self._writer.start()
        except RuntimeError as error:  # none can be started; the next day, write and close try again
            self._writer = None
            _LOG.error("expected to begin a thread that writes daily summaries, got: %s; the counts are kept", error)

    def _write_over(self) -> None:
        """Write what is held, and let go of what is over, as often as it was asked for."""
        while self._takes_turn():
            try:
                self._write(forget=True)
            except MediaError as error:  # a full disk must not stop the camera; the next write tries again
                _LOG.error("%s; the counts are kept", one_line(error))

    def _takes_turn(self) -> bool:
        with self._lock:
            is_asked, self._is_asked = self._is_asked, False
            if not is_asked:
                self._writer = None
            return is_asked

    @property
    def summaries(self) -> tuple[DailySummary, ...]:
        """Copies of the summaries that are still counted: of today, of the days before it, and without a folder of all."""
        with self._lock:
            copies = self._held.copies()
        return tuple(sorted((each for day in copies.values() for each in day.summaries), key=lambda each: each.key))

    def totals(self) -> Mapping[str, SummaryCounts]:
        """Counts of each camera since the recorder was made, without the spans of alarms; for metrics, which never fall."""
        with self._lock:
            return self._held.totals()

    def write(self) -> tuple[Path, ...]:
        """Write the files of the days that are still counted, as a timer may ask every hour; nothing without a folder.

        Frames are counted meanwhile, and are in the next write.

        Returns:
            Their paths.

        Raises:
            MediaError: one could not be written; its counts are kept.
        """
        return self._write()

    def prometheus_collector(self) -> "Collector":
        """A collector of the counts as OpenMetrics: ``REGISTRY.register(recorder.prometheus_collector())``.

        Raises:
            MissingPackageError: prometheus-client is missing.
        """
        from lsood_runtime._fleet.prometheus import prometheus_collector

        return prometheus_collector(self.totals, self._labels)

    def observe(self, meter: "Meter") -> None:
        """Let a meter of OpenTelemetry observe the counts, for OTLP: ``recorder.observe(provider.get_meter("lsood"))``.

        Raises:
            MissingPackageError: opentelemetry-sdk is missing.
            TypeError: no meter.
        """
        from lsood_runtime._fleet.open_telemetry import observe

        observe(meter, self.totals, self._labels)

    @property
    def _labels(self) -> dict[str, str]:
        return {"vehicle": self._vehicle, "bundle": self._bundle}

    def close(self) -> None:
        """Write what is left; closing again writes it again.

        Raises:
            MediaError: as for :meth:`write`.
        """
        with self._lock:
            writer = self._writer
        if writer is not None:
            writer.join()
        self.write()

    def _write(self, *, forget: bool = False) -> tuple[Path, ...]:
        """Write each day as it is now; writes take turns, so that what stands in a file is never older than before."""
        if self._folder is None:
            return ()
        with self._disk:
            with self._lock:
                copies = self._held.copies()
            for day, copy in copies.items():
                if forget and self._written.get(day) == copy.changes:
                    continue  # as many days may be held, each new one would write all of them again
                write_summaries(copy.summaries, self._file(self._folder, day))
                self._written[day] = copy.changes
            paths = tuple(self._files[day] for day in copies)
            if forget:
                self._forget(copies)
            return paths

    def _file(self, folder: Path, day: date) -> Path:
        if day not in self._files:
            self._number += 1
            words = re.sub(r"[^\w.-]+", "_", self._vehicle)[:60]
            self._files[day] = folder / f"{words}-{day}-{self._start_ns}-{self._number}.parquet"
        return self._files[day]

    def _forget(self, written: Mapping[date, DayCopy]) -> None:
        with self._lock:
            forgotten = self._held.forget(written, keep=_today())
        for day in forgotten:
            self._written.pop(day)
            self._files.pop(day)  # a late frame of that day begins a file of its own

    def leave_to_parent(self) -> object:
        """Begin with no counts in a forked process: those until then are its parent's."""
        kept = self._held, self._files, self._written, self._writer
        self._begin()
        return kept

    def __reduce__(self) -> Any:
        """Refuse to be pickled or copied: two of them would count the same frames."""
        raise TypeError("expected a recorder to stay where it was made, got a copy or a pickle of it: make one there")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _today() -> date:
    return summary_day(time.time_ns()) or datetime.now(UTC).date()


def _check_name(name: str, kind: str) -> None:
    """Refuse a name that a file of summaries cannot hold, or that its reader refuses."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected the name of a {kind} that is text, got {name!r}: choose another name") from error
    if not name.strip():
        raise ValueError(f'expected the name of a {kind}, got an empty one: pass one such as "{_EXAMPLES[kind]}"')


_EXAMPLES = {"vehicle": "car-17", "camera": "front"}
