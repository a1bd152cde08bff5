# SPDX-License-Identifier: Apache-2.0
"""Do alarms hold their stated delay and rate? Simulated drives with clocks as they are; stated beside realised.

    python examples/alarm_simulation.py demo/monitor --drives 1000

Each drive has a calibration of its own, drawn from the same process as its frames: normal scores, independent or a
first-order autoregression. After a stretch in distribution every frame scores above the whole calibration. On the way its
stamps jitter, frames are lost, nothing comes for a while, the clock is set, or a second publisher with another clock and
other frames sends on the same name. A row counts false alarms an hour over the drives of one condition, and the frames until
the alarm after the shift: of one publisher, and from the last gap or step of its clock, since evidence from before must not
add up. Of the bundle nothing but the layout of its manifest is used.
"""

import argparse
import dataclasses
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from lsood_runtime import (
    Assessment,
    FalseAlarms,
    Manifest,
    Policy,
    State,
    Stream,
    choose_alarm,
    expected_false_alarms,
    parse_policy,
    read_manifest,
)

RATE, FRAMES_PER_SECOND, START_NS, SECOND = 0.05, 10.0, 1_700_000_000 * 10**9, 10**9
OUTLYING = 1e6
CONDITIONS = {
    "a perfect clock": "",
    "jitter": "jitter",
    "lost frames": "lost",
    "gaps": "gaps",
    "clock steps": "steps",
    "two publishers": "two",
    "all of these": "jitter lost gaps steps two",
}


@dataclass(frozen=True)
class Shot:
    """A frame as it comes: by stamp, by publisher, by score; ``begins`` after a gap or a step of its clock."""

    time_s: float
    stamp_ns: int
    publisher: int
    score: float
    shifted: bool
    begins: bool


class ScoreReader:
    """A monitor whose frames are arrays of one number, their score.

    Args:
        manifest: with the calibration that p-values compare with.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.tile_check = None
        self._known = np.array(manifest.calibration.scores)
        self._threshold = manifest.operating_points[manifest.operating_point].value

    def assess_since(
        self,
        start: float,
        frame: object,
        noise: object = None,
        *,
        stamp_ns: int | None = None,
        judge_tiles: bool = True,
    ) -> Assessment:
        """The verdict on a frame; ``start``, ``noise`` and ``judge_tiles`` change nothing."""
        del start, noise, judge_tiles
        score = float(np.asarray(frame)[0])
        return self._verdict(score, State.OUT_OF_DISTRIBUTION if score > self._threshold else State.OK, stamp_ns)

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None) -> Assessment:
        """The verdict on a frame that never became an image."""
        return dataclasses.replace(self._verdict(math.inf, State.INVALID, stamp_ns), reason=reason)

    def _verdict(self, score: float, state: State, stamp_ns: int | None) -> Assessment:
        count = len(self._known)
        return Assessment(
            score=score,
            p_value=(1 + count - int(np.searchsorted(self._known, score))) / (count + 1),
            is_ood=state is not State.OK,
            threshold=self._threshold,
            segmentation=None,
            state=state,
            reason="",
            provider="simulation",
            latency_ms=0.0,
            stamp_ns=stamp_ns or 0,
        )


def scores(count: int, together: float, rng: np.random.Generator) -> list[float]:
    """Stationary normal scores, of which so many in a row are worth one independent one."""
    rho = (together - 1) / (together + 1)
    last, found = float(rng.normal()), []
    for step in (math.sqrt(1 - rho**2) * rng.normal(size=count)).tolist():
        found.append(last)
        last = rho * last + step
    return found


def manifest_of(layout: Manifest, known: Sequence[float], together: float) -> Manifest:
    """A manifest with these calibration scores and their split-conformal threshold."""
    ascending = sorted(known)
    value = ascending[min(len(known) - 1, math.ceil((1 - RATE) * (len(known) + 1)) - 1)]
    point = dataclasses.replace(layout.threshold, value=value, false_alarm_rate=RATE)
    calibration = dataclasses.replace(
        layout.calibration, scores=tuple(ascending), effective_frames=len(known) / together
    )
    return dataclasses.replace(layout, calibration=calibration, operating_points={layout.operating_point: point})


def publish(
    number: int, condition: str, together: float, familiar_s: float, shifted_s: float, rng: np.random.Generator
) -> Iterator[Shot]:
    """Frames of one publisher."""
    total_s = familiar_s + shifted_s
    count = round(total_s * FRAMES_PER_SECOND)
    offset_ns = START_NS + number * 2 * SECOND
    events = np.cumsum(rng.exponential(30.0, 40)) if "gaps" in condition or "steps" in condition else np.empty(0)
    upcoming = [float(event) for event in events if event < total_s][::-1]
    delay_s, begins = 0.0, False
    for i, score in enumerate(scores(count, together, rng)):
        time_s = (i + 0.4 * number) / FRAMES_PER_SECOND
        if upcoming and time_s >= upcoming[-1]:
            upcoming.pop()
            kinds = [kind for kind in ("gaps", "steps") if kind in condition]
            begins = True
            if rng.choice(kinds) == "gaps":
                delay_s += float(rng.choice([30.0, 600.0, 28_800.0]))
            else:
                offset_ns += round(float(rng.choice([-3600.0, -90.0, -25.0, 25.0, 3600.0])) * SECOND)
        if "lost" in condition and rng.random() < 0.1:
            continue
        jitter_s = float(rng.uniform(-0.02, 0.02)) if "jitter" in condition else 0.0
        shifted = time_s >= familiar_s
        stamp = offset_ns + round((time_s + delay_s + jitter_s) * SECOND)
        yield Shot(time_s, stamp, number, OUTLYING if shifted else score, shifted, begins)
        begins = False


@dataclass
class Row:
    """What was counted over the drives of one row."""

    drives: int = 0
    hours: float = 0.0
    alarms: int = 0
    invalid: int = 0
    late: int = 0
    longest: int = 0

    def add(self, stream: Stream, shots: Sequence[Shot], familiar_s: float, delay_frames: int) -> None:
        """Play one drive."""
        self.drives += 1
        self.hours += familiar_s / 3600
        alarms, before, since, done = 0, False, [0, 0], False
        for shot in shots:
            if shot.begins and not done:
                since[shot.publisher] = 0
            result = stream.assess(np.array([shot.score, shot.time_s]), stamp_ns=shot.stamp_ns)
            self.invalid += result.verdict.state is State.INVALID
            alarms += result.alarm and not before and not shot.shifted
            before = result.alarm
            if shot.shifted and not done:
                since[shot.publisher] += 1
                done = result.alarm
        self.alarms += alarms
        self.longest = max(self.longest, max(since))
        self.late += max(since) > delay_frames or not done


def text(condition: str, independent: str, rule: str, stated: FalseAlarms, delay_frames: int, row: Row) -> str:
    """One row of the table; two publishers have the false alarms of both."""
    both = 2 if "two" in CONDITIONS[condition] else 1
    low, expected, high = (f"{both * figure:.3g}" for figure in (stated.low, stated.per_hour, stated.high))
    return (
        f"| {rule} | {independent} | {condition} | {row.drives} | {expected} ({low} to {high}) | "
        f"{row.alarms / row.hours:.3g} | {delay_frames} | {row.longest} | {row.late} | {row.invalid} |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="for the layout of its manifest")
    parser.add_argument("--drives", type=int, default=140, help="over all conditions of a rule (default: %(default)s)")
    parser.add_argument("--rules", nargs="+", default=["1/h", "3of5", "duration:0.45", "cusum:0.5h@10"])
    parser.add_argument("--clocks", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--calibration", type=int, default=400, help="frames of a calibration (default: %(default)s)")
    parser.add_argument(
        "--together", type=int, nargs="+", default=[1, 8], help="frames that are worth one (default: 1 8)"
    )
    parser.add_argument("--seconds", type=float, default=90.0, help="in distribution (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    logging.getLogger("lsood_runtime").setLevel(logging.ERROR)  # each gap and each step is a warning
    layout = read_manifest(options.bundle)
    print("| rule | scores | clock | drives | stated an hour | realised | delay stated | longest | late | invalid |")
    print("|---" * 10 + "|")
    for together in options.together:
        independent = "independent" if together == 1 else f"{together} worth one"
        for rule in options.rules:
            typical = manifest_of(layout, np.arange(options.calibration).tolist(), together)
            policy: Policy
            if rule.endswith("/h"):
                choice = choose_alarm(typical, frames_per_second=FRAMES_PER_SECOND, per_hour=float(rule[:-2]))
                policy, stated = choice.policy, choice.expected
            else:
                policy = parse_policy(rule)
                stated = expected_false_alarms(policy, typical, frames_per_second=FRAMES_PER_SECOND)
            delay_frames = policy.delay_frames(typical.calibration, FRAMES_PER_SECOND)
            shifted_s = 20.0 + 3 * delay_frames / FRAMES_PER_SECOND
            for condition in tqdm(options.clocks, desc=f"{rule} {independent}"):
                words = CONDITIONS[condition]
                rng = np.random.default_rng([options.seed, together, list(CONDITIONS).index(condition)])
                row = Row()
                for _ in range(math.ceil(options.drives / len(CONDITIONS))):
                    known = scores(options.calibration, together, rng)
                    stream = Stream(ScoreReader(manifest_of(layout, known, together)), policy)
                    publishers = range(2 if "two" in words else 1)
                    shots = [
                        shot
                        for number in publishers
                        for shot in publish(number, words, together, options.seconds, shifted_s, rng)
                    ]
                    row.add(stream, sorted(shots, key=lambda shot: shot.time_s), options.seconds, delay_frames)
                shown = rule if rule == f"{policy}" else f"{rule}: {policy}"
                print(text(condition, independent, shown, stated, delay_frames, row), flush=True)


if __name__ == "__main__":
    main()
