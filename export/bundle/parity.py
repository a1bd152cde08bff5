# SPDX-License-Identifier: Apache-2.0
"""Compare every form of a monitor with the PyTorch network on real frames."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.bundle.memory import available_memory, measured_growth
from export.bundle.reference_monitor import ExpectedOutputs, ReferenceMonitor
from export.errors import ParityError
from export.graphs.monitor_forms import Form, MonitorOutputs
from export.graphs.noise import NoiseBatch, NoiseSource

PAIR = 2


@dataclass(frozen=True, eq=False)
class Difference:
    """How far what a form gives of one frame is from what it must give.

    Attributes:
        latent: of the latent samples, as a share of the largest.
        logits: as a share of the largest; 0 where the segmentation is of another kind.
        flipped: margins of the pixels of another class, see :attr:`ExpectedOutputs.margins`.
        pixels: how many pixels were compared.
        score: of the score and of the share of any part.
        frame: index of the frame.
        paired: whether the form was given another frame in the same batch.
    """

    latent: float
    logits: float
    flipped: NDArray[np.float32]
    pixels: int
    score: float
    frame: int = 0
    paired: bool = False

    def segmentation(self, margin: float = 0.0) -> float:
        """Share of the pixels of another class, those left out whose margin is below ``margin``; of logits the share of the
        largest.
        """
        return int(np.count_nonzero(~(self.flipped < margin))) / self.pixels if self.pixels else self.logits


@dataclass(frozen=True, eq=False)
class Comparison:
    """Differences of all forms on some frames.

    Attributes:
        kind: of the segmentation.
        frames: each ``(1, H, W, 3)`` uint8.
        noise: of each frame.
        expected: of each frame.
        differences: of every form, frame by frame, and of the first two frames in one batch.
        unpaired: bytes that two frames in one batch would take of a form that was not given them, for want of memory; 0 where
            every form was.
    """

    kind: str
    frames: Sequence[NDArray[np.uint8]]
    noise: Sequence[NoiseBatch]
    expected: Sequence[ExpectedOutputs]
    differences: Sequence[Difference]
    unpaired: int = 0


def compare_forms(
    reference: ReferenceMonitor,
    forms: Iterable[Form],
    frames: Iterable[NDArray[np.uint8]],
    noise: NoiseSource,
    left: Callable[[], int | None] = available_memory,
) -> Comparison:
    """Run every form over frames.

    The frames go one by one, then the first two in one batch, to find a network that mixes the frames of a batch; a form of
    which twice the memory of the first frame is not left is not given both.

    Args:
        reference: the PyTorch network.
        forms: of the monitor; each is let go before the next is asked for.
        frames: each ``(H, W, 3)`` uint8.
        noise: for masks that are not fixed, frame by frame.
        left: bytes of memory that can be taken; None where they are not known.
    """
    shown: list[NDArray[np.uint8]] = []
    drawn: list[NoiseBatch] = []
    expected: list[ExpectedOutputs] = []
    for frame in map(np.array, frames):
        shown.append(frame[None])
        drawn.append(noise.draw())
        expected.append(reference(shown[-1], drawn[-1]))
    together = [np.concatenate(values) for values in zip(*drawn[:PAIR], strict=True)]
    differences: list[Difference] = []
    unpaired = 0
    for form in forms:
        taken = 0
        for i, (one, values, right) in enumerate(zip(shown, drawn, expected, strict=True)):
            with measured_growth() as growth:
                got = form(one, values)
            taken = max(taken, growth.size)
            differences.append(difference_of(got, right, i))
        room = left()
        if room is not None and PAIR * taken > room:
            unpaired = max(unpaired, PAIR * taken)
        elif len(shown) >= PAIR:
            both = form(np.concatenate(shown[:PAIR]), together)
            for i, right in enumerate(expected[:PAIR]):
                of_frame = {name: values[i : i + 1] for name, values in both.items()}
                differences.append(difference_of(of_frame, right, i, paired=True))
        del form  # its sessions hold as much memory as the next one's will
    return Comparison(reference.kind, shown, drawn, expected, differences, unpaired)


def difference_of(
    got: MonitorOutputs, expected: ExpectedOutputs, frame: int = 0, *, paired: bool = False
) -> Difference:
    """Compare what a form gives of one frame, behind a batch of one."""
    flipped, pixels, logits = np.zeros(0, np.float32), 0, 0.0
    if expected.logits is not None:
        logits = _relative(got["segmentation"][0], expected.logits)
    elif expected.classes is not None and expected.margins is not None:
        flipped = expected.margins[got["segmentation"][0] != expected.classes]
        pixels = expected.classes.size
    latent = _relative(got["latent_samples"][0], expected.samples) if "latent_samples" in got else 0.0
    scores = [np.abs(got["score"][0] - expected.score)] if "score" in got else []
    scores += [np.abs(got["parts"][0] - expected.parts).max()] if "parts" in got else []
    return Difference(latent, logits, flipped, pixels, float(max(scores, default=0.0)), frame, paired)


def check_agreement(forms: Iterable[Form], frame: NDArray[np.uint8], noise: NoiseBatch, tolerance: float) -> None:
    """Check that several forms of one monitor give a frame ``(H, W, 3)`` the same score.

    Raises:
        ParityError: two scores are further apart than ``tolerance``.
    """
    scores = [float(form(frame[None], noise)["score"][0]) for form in forms]
    apart = float(np.ptp(scores))  # NaN where one score is
    if not apart <= tolerance:
        raise ParityError(
            f"expected the same score of every form of the monitor, got a difference of {apart:.3g}, allowed is "
            f"{tolerance:.3g}; no bundle was written: leave --fuse out"
        )


def _relative(got: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float(np.abs(got - expected).max() / max(float(np.abs(expected).max()), 1e-12))
