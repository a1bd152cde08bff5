# SPDX-License-Identifier: Apache-2.0
"""Open the monitor that a command line describes."""

import argparse

from lsood_runtime._cli.provider_flags import provider_arguments
from lsood_runtime._exceptions import TileCheckError
from lsood_runtime._inference.picture_check import check_tile_size
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._tiles.check import TileCheck


def open_monitor(options: argparse.Namespace, tile_check: TileCheck | None) -> OoDMonitor:
    """Open the monitor that a command describes by the flags of a bundle, of trust, of :func:`provider_arguments` and of
    decisions, with a check of tiles.

    Raises:
        BundleError: the bundle cannot be loaded, has no such operating point, or does not tell its quality or its road.
        ProviderError: a provider does not run here.
        SelfTestError: a golden frame does not get its score back.
        TileCheckError: the tiles that were asked for are too small in the frames of the bundle.
    """
    monitor = OoDMonitor(
        options.bundle,
        **provider_arguments(options),
        operating_point=options.operating_point,
        min_quality=options.min_quality,
        object_region=options.object_region,
        deadline_ms=options.deadline_ms,
        tile_check=tile_check,
        expected_sha256=options.expected_sha256,
        public_key=options.public_key,
        keep_features=options.features and bool(options.out),
    )
    if tile_check is not None and "tile_grid" in options.stated:  # the default grid, but asked for
        try:
            check_tile_size(tile_check, monitor.manifest.input)
        except TileCheckError:
            monitor.close()
            raise
    return monitor
