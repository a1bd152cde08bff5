# SPDX-License-Identifier: Apache-2.0
"""Export a monitor from within a program."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from torch import nn
from torch.utils.data import DataLoader

from export.cli.keyword_options import Paths, keyword_options, path_word, path_words
from export.errors import UsageError
from export.frames.arrays import ArraySequence, FrameArrays
from export.frames.loader_frames import loader_frames
from export.pipeline.export_monitor import ExportOptions, ExportResult
from export.pipeline.export_monitor import export_monitor as export_with_options
from export.reporter import SILENT, Reporter

_BY_FILE = ("group_by", "labels")
"""Options that know frames by their files."""

Frames = Paths | ArraySequence | DataLoader[Any]


def export_monitor(
    network: nn.Module | str | os.PathLike[str],
    /,
    frames: Frames,
    *,
    out: str | os.PathLike[str],
    drives: Sequence[str] | None = None,
    reporter: Reporter = SILENT,
    **options: Any,
) -> ExportResult:
    """Turn a network and frames into a bundle: what ``python -m export`` does.

    Args:
        network: any module with its weights, of which a copy is exported and which is left as it is; or the path of a
            checkpoint.
        frames: in-distribution frames of one camera in the order of recording:

            - folders or image files, one path or several;
            - ``(N, H, W, 3)`` uint8, or a sequence of ``(H, W, 3)`` ones, as the camera hands them over. They stay in memory;
            - a ``DataLoader`` that does not shuffle, of uint8 batches, or of normalised ones: ``mean`` and ``std`` then give
              the camera's bytes back, in the order of ``network_channels`` (``rgb`` unless given), or the loader is refused.
        out: the bundle's folder.
        drives: name of the drive of each frame in memory; files have ``group_by`` for it.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        options: further options, named and valued as those of ``python -m export``'s configuration file, with underscores:
            ``tap="drop"``, ``mc_samples=32``, ``answers=["quality"]``.

    Returns:
        The bundle's manifest, and how closely its graphs follow the network.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.

    Example:
        >>> import export, torch
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Dropout2d(), torch.nn.Conv2d(8, 4, 1))
        >>> export.export_monitor(network, "calibration/", out="monitor/", mean=[0.5] * 3, std=[0.25] * 3)  # doctest: +SKIP
    """
    live, ckpt = (None, os.fspath(network)) if isinstance(network, str | os.PathLike) else (network, os.devnull)
    given = {"ckpt": ckpt, "out": path_word(out)}
    if _are_paths(frames):
        if drives is not None:
            raise UsageError(
                "expected drives with frames in memory, got them with files: give group_by instead, a rule"
            )
        chosen = _options(given | {"frames": path_words(frames)}, options, live)
        return export_with_options(chosen, reporter, live)
    if taken := [name for name in _BY_FILE if options.get(name)]:
        raise UsageError(
            f"expected no {taken[0]} with frames in memory, which have no file names to go by, got it: "
            + ("name the drive of each frame by drives" if taken[0] == "group_by" else "give the frames as files")
        )
    told = {"group_by": "none" if drives is None else "folder"}
    chosen = replace(_options(given | {"frames": "in memory"}, options | told, live), frames=())
    if isinstance(frames, DataLoader):
        chosen = replace(chosen, network_channels=chosen.network_channels or "rgb")
        turned = chosen.network_channels != chosen.channels
        frames = loader_frames(frames, chosen.mean, chosen.std, reverse=turned)
    elif not _is_sequence(frames):
        raise UsageError(
            "expected paths, an (N, H, W, 3) uint8 array, a sequence of (H, W, 3) ones or a DataLoader as frames, got "
            f"{type(frames).__name__}: make a list of it"
        )
    return export_with_options(chosen, reporter, live, FrameArrays(frames, drives, chosen.channels))


def _is_sequence(frames: object) -> TypeGuard[ArraySequence]:
    return hasattr(frames, "__len__") and hasattr(frames, "__getitem__")


def _are_paths(frames: object) -> TypeGuard[Paths]:
    if isinstance(frames, list | tuple):
        return bool(frames) and all(isinstance(each, str | os.PathLike) for each in frames)
    return isinstance(frames, str | os.PathLike)


def _options(given: Mapping[str, object], more: Mapping[str, Any], live: nn.Module | None) -> ExportOptions:
    options = keyword_options(ExportOptions, given, more, "the keyword arguments")
    return options if live is None else replace(options, ckpt=None)
