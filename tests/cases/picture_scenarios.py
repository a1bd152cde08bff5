# SPDX-License-Identifier: Apache-2.0
"""Cases of pictures: images that come again, wholly, nearly or in part, and tiles without a picture."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.cases.stream_events import Case, Picture
from tests.cases.stream_model import SECOND, Drive, k_of_n

START, TENTH = 100 * SECOND, SECOND // 10
STREET = (64, 128, 1, 7)
HALF = "11110000" * 4


def picture_cases() -> Iterator[Case]:
    """Frozen cameras, live ones that look like them, and tiles."""
    for after in (0.3, 0.5, 1.0):
        same = [_other(i) for i in range(4)] + [_other(99)] * 14 + [_other(i) for i in range(4, 7)]
        yield _frozen(f"the same image, frozen after {after} s", same, [0, 1, 2, 3, 4, 18, 19, 20], after, after)
        for buffers in (2, 3, 16):
            ring = [_other(90 + i % buffers) for i in range(buffers + 14)]
            yield _frozen(f"{buffers} buffers in turn, frozen after {after} s", ring, range(buffers), after, after)
    ring = [_other(90 + i % 17) for i in range(40)]
    yield _frozen("17 buffers in turn are new images", ring, range(40), 0.3, 0.3)
    shown = [_other(i // 3) for i in range(18)]
    yield _frozen("images that are shown three times each", shown, range(0, 18, 3), 0.3, 0.3)
    yield _frozen("the same image where nothing is frozen", [_other(1)] * 12, [0], None, 99)
    yield _frozen("an image without a picture in it", [(64, 128, 1, -256)] * 8, [0], 0.3, 0.3)
    clock = [(*STREET, 3, 5, 1, 1, -1 - i) for i in range(12)]
    yield _frozen("a clock that is drawn over it, which takes twice as long", clock, [0], 0.3, 0.6)
    yield _frozen("the same where only copies count", clock, range(12), 0.3, 0.3, tolerance=0.0)
    grown = [(*STREET, 0, 0, 12, 24, -1 - i) for i in range(12)]
    yield _frozen("an image of which nine of 256 tiles change is new", grown, range(12), 0.3, 0.3)
    yield from _tiles()


def _other(seed: int) -> Picture:
    return 1, 8, 1, seed


def _frozen(
    name: str, pictures: Sequence[Picture], new: Sequence[int], after: float | None, takes_s: float, **settings: Any
) -> Case:
    """Frames with these pictures, of which some are new; INVALID where none was new for so long, and in three images."""
    made = Drive("3of5", k_of_n(3, 5), frozen_after_s=after, **settings)
    last = 0
    for i, picture in enumerate(pictures):
        last = i if i in new else last
        wrong = (i - last) / 10 >= takes_s - 1e-9 and i - last >= 2
        made.frame(START + i * TENTH, picture=picture, wrong=wrong)
    return made.case(f"pictures: {name}")


def _tiles() -> Iterator[Case]:
    for name, masks, wrong in (
        ("a quarter, from the third frame on", ["0000", "1000", "0100", "0010", "0001"], [3, 4]),
        ("a quarter, with a good frame between", ["1000", "1000", "0000", "1000", "1000", "1000"], [5]),
        ("not looked at in between", ["1000", "1000", None, "1000", "1000", "1000"], [5]),
    ):
        made = Drive("2of3", k_of_n(2, 3), tiles=(1, 4, 0.25, 3))
        _play_tiles(made, masks, [None] * len(masks), wrong)
        yield made.case(f"tiles without a picture: {name}")
    made = Drive("2of3", k_of_n(2, 3), tiles=(1, 4, 0.5, 2))
    _play_tiles(made, ["1000", "1000", "1000", "1100", "1010"], [None] * 5, [4])
    yield made.case("tiles without a picture: half of them, for two frames")
    for part, mask, edit in (
        ("the left half", HALF, (0, 64, 64, 64)),
        ("the right half", HALF.translate(str.maketrans("01", "10")), (0, 0, 64, 64)),
        ("the lower half", "0" * 16 + "1" * 16, (0, 0, 32, 128)),
    ):
        made = Drive("2of3", k_of_n(2, 3), tiles=(4, 8, 0.25, 3), frozen_after_s=0.3)
        pictures = [(*STREET, *edit, 20 + i) for i in range(12)]
        none, first = "0" * 32, 6  # twice 0.3 s
        masks = [none if i < first else mask for i in range(12)]
        _play_tiles(made, [none] * 12, pictures, range(first + 2, 12), masks)
        yield made.case(f"frozen tiles: {part} stands still")
    made = Drive("2of3", k_of_n(2, 3), tiles=(4, 8, 0.25, 3), frozen_after_s=0.3)
    _play_tiles(made, ["0" * 32] * 12, [(*STREET, 16, 0, 48, 128, 20 + i) for i in range(12)], [])
    yield made.case("frozen tiles: the upper quarter stands still, as a sky does")


def _play_tiles(
    made: Drive,
    blank: Sequence[str | None],
    pictures: Sequence[Picture | None],
    wrong: Sequence[int],
    masks: Sequence[str] | None = None,
) -> None:
    for i, (mask, picture) in enumerate(zip(blank, pictures, strict=True)):
        made.frame(START + i * TENTH, wrong=i in wrong, blank=mask, picture=picture or ())
        found = mask if masks is None else masks[i]
        if found is not None:
            made.expected[-1]["faulty_tiles"] = found
