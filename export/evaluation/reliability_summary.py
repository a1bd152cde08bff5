# SPDX-License-Identifier: Apache-2.0
"""Sentences about how far the confidence of pixels is from their accuracy."""

from export.evaluation.reliability_judge import Reliability
from lsood_runtime.offline import counted


def reliability_sentences(groups: tuple[Reliability, ...], temperature: float | None) -> list[str]:
    """Say how far confidence and accuracy are apart in distribution; nothing without labels."""
    if not groups:
        return []
    own = groups[0]
    after = "no temperature in the bundle: it was fitted without labels"
    if own.error is not None and temperature is not None:
        after = f"{own.error.text('.3f', '.3f')} with its temperature of {temperature:.3g}"
    return [
        f"Confidence of {own.name}, {counted(own.frames, 'frame')}: accuracy {own.accuracy.text('.3f', '.3f')}, expected "
        f"calibration error {own.error_before.text('.3f', '.3f')} as the network gives it, {after}."
    ]
