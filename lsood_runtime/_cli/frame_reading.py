# SPDX-License-Identifier: Apache-2.0
"""Read the frames on which bundles or providers are compared."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._cli.arguments import completed_rules
from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.frame_check import check_named_frame
from lsood_runtime._media.pixel_rules import PixelRules, in_flags
from lsood_runtime._media.sources import SourceReader
from lsood_runtime._monitor import OoDMonitor


class FrameReading:
    """The frames of sources; what cannot be read of them is kept as faults.

    Args:
        sources: as :func:`~lsood_runtime._media.sources.find_sources` lists them.
        stated: what images do not say themselves, before what the bundle records.
        strict: raise the first fault in place of going on.
        word: puts what is said of a frame into the words of whoever asked.

    Attributes:
        faults: frames and sources that were not read, a sentence each.
        notes: what of the sources was left out.
    """

    def __init__(
        self,
        sources: Sequence[str],
        stated: PixelRules,
        *,
        strict: bool = False,
        word: Callable[[str], str] = in_flags,
    ) -> None:
        self._sources, self._stated, self._strict, self._word = sources, stated, strict, word
        self.faults: list[str] = []
        self.notes: list[str] = []

    def frames(self, monitor: OoDMonitor) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Names and images that the bundle takes."""
        contract = monitor.manifest.input
        reader = SourceReader(
            self._sources,
            contract.channels,
            1.0,
            rules=completed_rules(self._stated, monitor.manifest.pixels),
            size=(contract.frame_height, contract.frame_width),
            strict=self._strict,
            word=self._word,
        )
        for source in reader:
            try:
                if source.image is None:
                    raise FrameError(source.fault)
                check_named_frame(source.name, source.image, contract)
            except FrameError as error:
                if self._strict:
                    raise
                self.faults.append(str(error))
                continue
            yield source.name, source.image
        self.faults += reader.failures
        self.notes += reader.notes
