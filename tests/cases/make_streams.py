# SPDX-License-Identifier: Apache-2.0
"""Write ``streams.json``, the cases of streams that the Python runtime and the C++ library play alike.

    python -m tests.cases.make_streams

What is expected comes from the documented rules, by :mod:`tests.cases.stream_model`, not from either of the two.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.cases.picture_scenarios import picture_cases
from tests.cases.quality_scenarios import quality_cases
from tests.cases.stream_events import FIRST_EPOCH_NS, TENTH_NS, Case, values_of
from tests.cases.stream_model import SECOND, Drive, Rule, cusum, cusum_constants, duration, hysteresis, k_of_n

TABLE = Path(__file__).with_name("streams.json")
START, TENTH = 100 * SECOND, SECOND // 10
OK, OOD, INVALID, LATE, LOW = "ok", "out_of_distribution", "invalid", "late", "low_quality"
FRAMES, EFFECTIVE = 99, 99.0
POLICIES: dict[str, Rule] = {
    "3of5": k_of_n(3, 5),
    "hysteresis:0.05:0.2": hysteresis(0.05, 0.2),
    "duration:0.3": duration(0.3),
    "cusum:0.002h@10": cusum(0.002, 10, FRAMES, EFFECTIVE),
}
"""Rules whose alarm a few frames raise; each looks back for less than five usual intervals, 0.5 s."""
GAP = 5 * TENTH


def drive(policy: str, **settings: Any) -> Drive:
    """A drive with one of the rules."""
    return Drive(policy, POLICIES[policy], frames=FRAMES, effective=EFFECTIVE, **settings)


def states(flags: str) -> list[str]:
    """States by letters: o for OK, x for out of distribution, i for INVALID, l for late, q for low quality."""
    return [{"o": OK, "x": OOD, "i": INVALID, "l": LATE, "q": LOW}[flag] for flag in flags]


def counting_cases() -> Iterator[Case]:
    """k of n, at the edges of the window."""
    for k, n in ((1, 1), (1, 3), (2, 2), (3, 5), (5, 5), (2, 7), (6, 9)):
        scenarios = {
            "k in a row": "o" * n + "x" * k + "o" * n,
            "one less than k": "o" * n + "x" * (k - 1) + "o" * n + "x" * (k - 1),
            "the first and the last of the window": "x" * (k - 1) + "o" * (n - k) + "x" + "oo",
            "one frame beyond the window": "x" * (k - 1) + "o" * (n - k + 1) + "x" + "oo",
            "every other": "xo" * n,
            "all, then none": "x" * (n + 1) + "o" * (n + 1),
        }
        for name, flags in scenarios.items():
            made = Drive(f"{k}of{n}", k_of_n(k, n))
            made.frames(START, states(flags))
            yield made.case(f"{k} of {n}: {name}")


def p_value_cases() -> Iterator[Case]:
    """Hysteresis by p-values at, above and below its ends; those of frames that are OK count as well."""
    for raise_at, clear_at in ((0.01, 0.2), (0.05, 0.5), (0.1, 0.4)):
        above, below = raise_at * 1.001, raise_at * 0.999
        scenarios = {
            "at the lower end": [0.5, raise_at, 0.5],
            "just above the lower end": [0.5, above, above],
            "just below the lower end": [0.5, below, clear_at],
            "held at the upper end": [raise_at, clear_at, clear_at, 0.9],
            "cleared just above the upper end": [raise_at, clear_at * 1.001, clear_at],
            "between the ends nothing changes": [(raise_at + clear_at) / 2, below, (raise_at + clear_at) / 2, 1.0],
            "p-values of 1": [1.0, 1.0],
        }
        for name, p_values in scenarios.items():
            made = Drive(f"hysteresis:{raise_at}:{clear_at}", hysteresis(raise_at, clear_at))
            for i, p in enumerate(p_values):
                made.frame(START + i * TENTH, OK, p)
            yield made.case(f"hysteresis {raise_at} to {clear_at}: {name}")


def duration_cases() -> Iterator[Case]:
    """Durations that are just reached, just missed, and held."""
    for tenths in (0, 1, 3, 5):
        seconds = tenths / 10
        scenarios = {
            "just reached": "oo" + "x" * (tenths + 1) + "o" * (tenths + 3),
            "one frame short": "oo" + "x" * tenths + "o" + "x" * tenths + "o",
            "raised again while it is held": "x" * (tenths + 1) + "o" * tenths + "x" + "o" * (tenths + 3),
            "from the first frame on": "x" * (tenths + 4),
        }
        for name, flags in scenarios.items():
            made = Drive(f"duration:{seconds}", duration(seconds))
            made.frames(START, states(flags))
            yield made.case(f"duration of {seconds} s: {name}")
    for late_ns, name in ((-1, "a nanosecond too soon"), (0, "to the nanosecond"), (1, "a nanosecond later")):
        made = Drive("duration:0.5", duration(0.5))
        for stamp in (START, START + 2 * TENTH, START + 5 * TENTH + late_ns, START + 10 * TENTH + 2 * late_ns):
            made.frame(stamp, OOD if stamp < START + 9 * TENTH else OK)
        yield made.case(f"duration of 0.5 s: {name}")


def evidence_cases() -> Iterator[Case]:
    """CUSUMs by several thresholds and calibrations."""
    for hours, rate, frames, effective in (
        *((0.001, 10, 99, 99.0), (0.01, 10, 99, 99.0), (0.1, 10, 40, 20.0), (1.0, 30, 400, 400.0)),
        *((1.0, 30, 400, 50.0), (0.1, 5, 200, 10.0), (0.01, 25, 4, 4.0)),
    ):
        height, worth, log_mean = cusum_constants(hours, rate, frames, effective)
        smallest = 1 / (frames + 1)
        delay = math.ceil(height * worth / (math.log(smallest**-0.5) - log_mean))
        raised = [smallest] * min(delay + 1, 60)
        scenarios: dict[str, Sequence[float]] = {
            "the smallest p-values": [*raised, 0.5, 1.0, 1.0],
            "p-values of 1 add nothing": [1.0] * 5,
            "a mixture": [smallest, 0.5, smallest, 3 * smallest, 1.0, 2 * smallest] * 3,
        }
        for name, p_values in scenarios.items():
            settings = {"frames": frames, "effective": effective}
            made = Drive(f"cusum:{hours}h@{rate}", cusum(hours, rate, frames, effective), **settings)
            for i, p in enumerate(p_values):
                made.frame(START + i * TENTH, OK, p)
            yield made.case(f"CUSUM of {hours} h at {rate} a second, {frames} frames worth {effective:g}: {name}")


def state_cases() -> Iterator[Case]:
    """What each state counts for."""
    for policy in POLICIES:
        for name, flags in {
            "late frames are in distribution": "llll",
            "INVALID frames count": "ooiiiioo",
            "a mixture": "oxilqoxxioo",
        }.items():
            made = drive(policy)
            made.frames(START, states(flags))
            yield made.case(f"{policy}: {name}")
        made = drive(policy)
        for i in range(5):
            made.frame(START + i * TENTH, LOW, 0.5)
        yield made.case(
            f"{policy}: frames of low quality count where frames are counted, p-values are those of the score"
        )
        made = drive(policy)
        for i in range(5):
            made.frame(START + i * TENTH, INVALID if i else OOD, math.nan, picture=None if i % 2 else ())
        yield made.case(f"{policy}: p-values that are not known count as the smallest")


def clock_cases() -> Iterator[Case]:
    """Gaps, steps, frames that are overtaken, two publishers, clocks that stand still or go back, stamps that are none."""
    quiet, alarmed = "oooooooo", "ooooooooxxxx"
    for policy, (name, before) in itertools.product(POLICIES, (("no alarm", quiet), ("an alarm", alarmed))):
        for by_ns, history, words in (
            (GAP, "continues", "the longest gap"),
            (GAP + 1, "after_gap", "a nanosecond more than the longest gap"),
            (8 * 3600 * SECOND, "after_gap", "a gap of eight hours"),
            (-SECOND, "continues", "a second back"),
            (-SECOND - 1, "after_step", "a nanosecond more than a second back"),
            (-60 * SECOND, "after_step", "a minute back"),
        ):
            made = drive(policy)
            next_ns = made.frames(START, states(before))
            first = next_ns - TENTH + by_ns
            made.frame(first, OOD, made.smallest_p, history=history)
            if by_ns in (GAP, GAP + 1) or abs(by_ns) > 2 * SECOND:
                made.frames(first + TENTH, states("xoooo"))
            yield made.case(f"{policy}: {words} with {name}")
    for policy in POLICIES:
        yield from _orders(policy)
        yield from _publishers(policy)
        yield from _wrong_clocks(policy)
        yield from _no_stamps(policy)


def _orders(policy: str) -> Iterator[Case]:
    made = drive(policy)
    for tenths in (0, 1, 2, 4, 3, 5, 6):  # the fifth frame was overtaken by the fourth
        made.frame(START + tenths * TENTH, OOD if tenths > 1 else OK, made.smallest_p if tenths > 1 else 0.5)
    yield made.case(f"{policy}: a frame that another overtook counts")
    made = drive(policy)
    made.frames(START, states("oox"))
    made.frame(START + 2 * TENTH, OOD, 0.01, history="repeated", picture=(1, 8, 1, 1002))
    made.frames(START + 3 * TENTH, states("xxoo"))
    yield made.case(f"{policy}: a frame that comes twice counts once")
    made = drive(policy)
    made.frames(START, states("oox"))
    made.frame(START + 2 * TENTH, OOD, 0.01)
    made.frames(START + 3 * TENTH, states("xxoo"))
    yield made.case(f"{policy}: another picture with the same stamp counts")


def _publishers(policy: str) -> Iterator[Case]:
    for strange, name in (((0,), "the first"), ((1,), "the second"), ((0, 1), "both"), ((), "none")):
        for apart in (-4 * SECOND, 3 * SECOND):
            made = drive(policy)
            made.frames(START, states("oooooo"))
            for i, number in itertools.product(range(6, 14), (0, 1)):
                state, p = (OOD, made.smallest_p) if i > 8 and number in strange else (OK, 0.5)
                begins = "after_gap" if apart > 0 else "after_step"
                history = "" if (i, number) == (6, 0) else begins if (i, number) == (6, 1) else "other_clock"
                publisher = ("one", "two")[number]
                made.frame(START + i * TENTH + number * apart, state, p, publisher=publisher, history=history)
            yield made.case(f"{policy}: two publishers {apart // SECOND} s apart, {name} out of distribution")


def _wrong_clocks(policy: str) -> Iterator[Case]:
    made = drive(policy)
    made.frames(START, states("oooooo"))
    for i in range(6):
        made.frame(START + 5 * TENTH, OK, 0.5, wrong=i > 1, passed_ns=made.usual_ns if i > 1 else 0)
    yield made.case(f"{policy}: a clock that stands still is INVALID from the third stamp on")
    made = drive(policy)
    made.frames(9 * START, states("oooooo"))
    for i in range(1, 6):
        wrong = i > 2
        history = "continues" if wrong else "after_step"
        passed = made.usual_ns if wrong else None
        made.frame((9 - i) * START, OK, 0.5, history=history, wrong=wrong, passed_ns=passed)
    yield made.case(f"{policy}: a clock that steps back for the third time within ten frames is INVALID")
    made = drive(policy)
    made.frames(START, states("oooooo"))
    for _ in range(4):
        made.frame(-5, OK, 0.5, wrong=True, passed_ns=made.usual_ns, received_ns=_receipt(made))
    yield made.case(f"{policy}: stamps below 0 are INVALID, and come one usual interval after the last frame")


def _no_stamps(policy: str) -> Iterator[Case]:
    made = drive(policy)
    for i in range(7):
        state, p = (OOD, made.smallest_p) if i > 2 else (OK, 0.5)
        made.frame(None, state, p, received_ns=_receipt(made))
    yield made.case(f"{policy}: frames without a stamp get the time of receipt")
    made = drive(policy)
    made.frame(0, OK)
    made.frame(0, OK, history="after_gap", received_ns=_receipt(made))
    for i in range(5):
        made.frame(0, OOD, made.smallest_p if i else 0.5, received_ns=_receipt(made))
    yield made.case(f"{policy}: a stamp of 0 after another is a header that was not filled in")
    made = drive(policy)
    made.frames(_receipt(made), states("oo"))
    for _ in range(5):
        made.frame(0, OOD, made.smallest_p, received_ns=_receipt(made))
    yield made.case(f"{policy}: a stamp of 0 after a time of day is a header that was not filled in")


def _receipt(made: Drive) -> int:
    """The time at which the next event is received."""
    return FIRST_EPOCH_NS + len(made.events) * TENTH_NS


def silence_cases() -> Iterator[Case]:
    """Cameras that stop, that come back, and that never came."""
    for policy in POLICIES:
        for name, reports in (("once", [10]), ("again and again", [5, 7, 10, 11])):
            made = drive(policy)
            next_ns = made.frames(START, states("oooooooo"))
            for tenths in reports:
                made.silent(next_ns + tenths * TENTH)
            first = next_ns + (reports[-1] + 1) * TENTH
            made.frame(first, OK, 0.9, history="after_gap")
            made.frames(first + TENTH, states("oooooo"))
            yield made.case(f"{policy}: a camera that is silent {name}, and comes back after a gap")
        if not policy.startswith("duration"):
            made = drive(policy)
            for i in range(6):
                made.silent(START + i * SECOND)
            yield made.case(f"{policy}: a camera that never came")
    for reports in ([], [2], [1, 2, 3]):
        made = Drive("duration:5", duration(5))
        next_ns = made.frames(START, states("ooooooooxx"))
        for seconds in reports:
            made.silent(next_ns + seconds * SECOND)
        for seconds in (4, 5, 6):
            made.frame(next_ns + seconds * SECOND, OOD, 0.01)
        yield made.case(
            f"duration of 5 s: reports of silence, {len(reports)} of them, add nothing to the time that passed"
        )


def camera_cases() -> Iterator[Case]:
    """Several cameras, each with an alarm of its own."""
    for policy in POLICIES:
        made = drive(policy)
        for i in range(10):
            for camera in ("front", "rear", "left"):
                strange = {"front": i > 4, "rear": i % 2 == 0, "left": False}[camera]
                p = made.smallest_p if strange else 0.5
                made.frame(START + i * TENTH, OOD if strange else OK, p, camera=camera)
        yield made.case(f"{policy}: three cameras at once")
        made = drive(policy, max_cameras=1)
        for camera in ("front", "rear", "front"):
            made.cameras.clear()  # the camera that came before is forgotten
            made.frames(START, states("xxxx"), camera=camera)
        yield made.case(f"{policy}: more cameras than are remembered")


def all_cases() -> list[Case]:
    """Every case of the table."""
    makers: tuple[Callable[[], Iterator[Case]], ...] = (
        *(counting_cases, p_value_cases, duration_cases, evidence_cases, state_cases, clock_cases, silence_cases),
        *(camera_cases, quality_cases, picture_cases),
    )
    return [case for maker in makers for case in maker()]


def table_text() -> str:
    """The table, a case a line."""
    lines = [json.dumps(values_of(case), separators=(",", ":"), allow_nan=False) for case in all_cases()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    TABLE.write_text(table_text(), encoding="utf-8")
