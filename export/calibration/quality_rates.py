# SPDX-License-Identifier: Apache-2.0
"""Intervals of the rate at which clean frames of new drives are below a smallest expected quality."""

from dataclasses import replace

import numpy as np

from export.calibration.rate_intervals import new_drives_interval
from lsood_runtime.offline import RATE_CONFIDENCE, AnswersRecord


def with_rate_intervals(record: AnswersRecord) -> AnswersRecord:
    """The record with the intervals of ``min_quality``, each as that of an operating point of the score on new drives.

    The rate changes at the lower ends of the clean frames alone, so that there is an interval for each number of them. One
    drive tells nothing of others, and has none.
    """
    quality = record.quality
    if quality is None or len(set(quality.clean_drives)) < 2:
        return record
    low, drive = np.array(quality.clean_low), np.array(quality.clean_drives)
    weight = np.full(len(low), 1 / len(low))
    found = [new_drives_interval(-low, drive, weight, threshold, RATE_CONFIDENCE) for threshold in (-low).tolist()]
    ends = [*((each.low, each.high) for each in found), (found[-1].low, 1.0)]
    return replace(
        record,
        quality=replace(quality, rate_low=tuple(a for a, _ in ends), rate_high=tuple(b for _, b in ends)),
    )
