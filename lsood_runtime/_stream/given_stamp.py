# SPDX-License-Identifier: Apache-2.0
"""The stamp of a frame as it was given to a stream."""

import time
from typing import SupportsIndex

from lsood_runtime._inference.stamps import received_stamp


class GivenStamp:
    """A stamp as it was given, and as it is used.

    Attributes:
        given: whether there was one.
        received_ns: when the frame came.
        ns: the stamp; the time of receipt where there is none, or one that no clock gives.
        fault: why the given one was not used; None where it was.
    """

    def __init__(self, stamp_ns: SupportsIndex | None) -> None:
        self.received_ns = time.time_ns()
        self.given = stamp_ns is not None
        self.ns, self.fault = received_stamp(stamp_ns)
