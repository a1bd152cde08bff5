# SPDX-License-Identifier: Apache-2.0
"""Check the options of a search before its checkpoint is read."""

from export.anomalies import ANOMALIES, SEVERITIES
from export.detectors.registry import detector_spec
from export.errors import UsageError
from export.option_table import check_limits
from export.search.options import SearchOptions


def check_search(options: SearchOptions) -> None:
    """Refuse options that are wrong for every checkpoint.

    Raises:
        UsageError: a value is missing or out of range.
    """
    check_limits(options)
    if options.segmentation == "none":
        raise UsageError(
            "expected a --segmentation for a search, got none: its class maps tell which shifts hurt; give none to the "
            "export alone"
        )
    for name, values in (
        ("--samples", options.samples),
        ("--detectors", options.detectors),
        ("--pca", options.components),
    ):
        if not values:
            raise UsageError(f"expected one value or more for {name}, got none: leave the flag out for its default")
    for detector in options.detectors:
        detector_spec(detector)
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown or not (options.kinds or options.ood_frames):
        raise UsageError(
            f"expected degradations among {', '.join(ANOMALIES)}, got {', '.join(unknown) or 'none'}: "
            "choose some by --shifts, or give --ood-frames"
        )
    wrong = sorted(set(options.severity) - set(SEVERITIES))
    if wrong or not options.severity:
        raise UsageError(
            f"expected --severity from 1 to 5, got {', '.join(map(str, wrong)) or 'none'}: 3 is in the middle"
        )
