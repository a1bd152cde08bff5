# SPDX-License-Identifier: Apache-2.0
"""Verify, compare, certify and sign bundles from within a program, and write them for a server."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lsood_runtime._bundle.reader import SealedManifest, open_bundle
from lsood_runtime._certificate.certificate import DEFAULT_LIMITS, Certificate, Limits
from lsood_runtime._certificate.certify import CertifyOptions, certify
from lsood_runtime._certificate.figures import MOST_ROUNDS
from lsood_runtime._certificate.read_certificate import read_certificate
from lsood_runtime._cli.arguments import count_up_to
from lsood_runtime._cli.certificate_text import worse_figures as _worse_figures
from lsood_runtime._cli.compare import BundleComparison
from lsood_runtime._cli.destinations import check_destinations
from lsood_runtime._cli.diff import compare
from lsood_runtime._cli.frame_reading import FrameReading
from lsood_runtime._cli.sign import sign
from lsood_runtime._cli.triton import (
    MOST_FRAMES,
    MOST_INSTANCES,
    WrittenRepository,
    microseconds,
    model_name,
    write_repository,
)
from lsood_runtime._cli.triton_config import Serving
from lsood_runtime._exceptions import BundleError
from lsood_runtime._inference.providers import Provider, resolve_providers
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime.functions._paths import PathLike, Paths, sources_of

Value = TypeVar("Value")


def verify_bundle(
    bundle: PathLike, *, public_key: PathLike | None = None, expected_sha256: str | None = None
) -> SealedManifest:
    """Verify every file of a bundle against its manifest: what ``lsood inspect`` and, with a key, ``lsood verify`` do.

    Args:
        bundle: folder of it.
        public_key: PEM file of the key that must have signed it; None for no signature.
        expected_sha256: that the manifest must have, in hex; None for any.

    Returns:
        The ``manifest``, and the ``sha256`` of its bytes.

    Raises:
        BundleError: a file is missing, damaged or one too many, or the bundle is another one or not signed with the key.
    """
    return open_bundle(bundle, public_key=public_key, expected_sha256=expected_sha256).sealed


def certify_provider(
    bundle: PathLike,
    files: Paths,
    providers: Sequence[Provider],
    *,
    require_provider: bool = False,
    threads: int | None = None,
    rounds: int = 100,
    network: PathLike | None = None,
    max_flips: float = DEFAULT_LIMITS.flips,
    max_pixel_changes: float = DEFAULT_LIMITS.pixel_changes,
    pixels: PixelRules = AS_STATED,
    expected_sha256: str | None = None,
    public_key: PathLike | None = None,
    on_step: Callable[[int, str], None] = lambda _count, _what: None,
) -> Certificate:
    """Compare a provider with the CPU provider on frames: what ``lsood certify`` does.

    Args:
        bundle: folder of it.
        files: of the frames; one that cannot be read is refused.
        providers: in order of preference, as for :class:`lsood_runtime.OoDMonitor`.
        require_provider: refuse a provider that leaves nodes to the CPU.
        threads: of the CPU provider within an operator; None for one a core.
        rounds: frames to time on each.
        network: ONNX of the network without a monitor, to time it in the same turns; None for none.
        max_flips: largest share of frames in another state.
        max_pixel_changes: largest share of pixels of another class.
        pixels: what images do not say themselves, before what the bundle records of its calibration.
        expected_sha256: that the manifest must have, in hex; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.
        on_step: called with how many frames are done, and ``compared`` or ``timed``.

    Returns:
        The certificate: ``passed``, ``failures``, and ``to_json()``, which is what the command writes.

    Raises:
        ValueError: a number out of its range, or no provider's name.
        BundleError, ProviderError, MediaError, FrameError: the bundle, the provider or a frame cannot be used.
    """
    limits = Limits(_share(max_flips, "max_flips"), _share(max_pixel_changes, "max_pixel_changes"))
    reading = FrameReading(sources_of(files), pixels, strict=True, word=str)
    options = CertifyOptions(
        providers=resolve_providers(providers),
        require_provider=require_provider,
        threads=threads,
        rounds=_parsed(count_up_to(MOST_ROUNDS), rounds, "rounds"),
        network=None if network is None else Path(network),
        limits=limits,
        manifest_sha256=expected_sha256,
        public_key=None if public_key is None else Path(public_key),
    )
    return certify(os.fspath(bundle), reading.frames, options, on_step)


def worse_figures(first: PathLike, second: PathLike) -> list[str]:
    """In what the second of two certificates is worse, a sentence each: what ``lsood certify --compare`` does.

    Raises:
        MediaError: a file that is no certificate, or was changed.
    """
    return _worse_figures(read_certificate(Path(first)), read_certificate(Path(second)))


def compare_bundles(
    old: PathLike,
    new: PathLike,
    files: Paths = (),
    *,
    pixels: PixelRules = AS_STATED,
    threads: int | None = None,
) -> BundleComparison:
    """Compare two bundles for one camera: what ``lsood diff`` does.

    Args:
        old: a bundle.
        new: another one.
        files: of frames on which to compare decisions; none for the metadata alone. One that cannot be read is refused.
        pixels: what images do not say themselves, before what the old bundle records of its calibration.
        threads: of the CPU provider within an operator; None for one a core.

    Raises:
        BundleError: a bundle cannot be used, or they take different frames.
        MediaError, FrameError: a frame that cannot be read or compared.
    """
    sources = sources_of(files)
    reading = FrameReading(sources, pixels, strict=True, word=str) if sources else None
    return compare(os.fspath(old), os.fspath(new), reading, threads)


def sign_bundle(
    bundle: PathLike, key: PathLike, *, password: str | None = None, expected_sha256: str | None = None
) -> int:
    """Verify a bundle and write its signature beside its manifest: what ``lsood sign`` does.

    Args:
        bundle: folder of it.
        key: PEM file of the private key.
        password: of the key, where it is encrypted.
        expected_sha256: that the manifest must have, in hex; None for any.

    Returns:
        The number of files that the signature is of.

    Raises:
        BundleError: the bundle is damaged or another one, or the key cannot be used.
        MediaError: the signature cannot be written, or would replace the key.
    """

    def ask() -> bytes:
        if password is None:
            raise BundleError(f"expected the password of the key in {key}, got none: give password")
        return password.encode()

    return sign(Path(bundle), Path(key), ask, expected_sha256)


def write_triton_repository(
    bundle: PathLike,
    out: PathLike,
    *,
    name: str = "lsood",
    provider: str = "cpu",
    max_batch: int = 4,
    batch_delay_us: int = 0,
    instances: int = 1,
    expected_sha256: str | None = None,
    public_key: PathLike | None = None,
) -> WrittenRepository:
    """Write a model repository for Triton Inference Server: what ``lsood triton`` does.

    Args:
        bundle: folder of it.
        out: a new or an empty folder.
        name: of the ensemble.
        provider: where the graphs run, ``cpu`` or ``cuda``.
        max_batch: frames of a batch, at most.
        batch_delay_us: microseconds that a frame waits for others of its batch.
        instances: of each graph, at once.
        expected_sha256: that the manifest must have, in hex; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.

    Raises:
        ValueError: a name or a number that cannot be.
        BundleError: the bundle cannot be used, or draws fresh masks.
        MediaError: the folder cannot be written.
    """
    if provider not in ("cpu", "cuda"):
        raise ValueError(f"provider: expected cpu or cuda, got {provider!r}")
    serving = Serving(
        _parsed(model_name, name, "name"),
        provider,
        _parsed(count_up_to(MOST_INSTANCES), instances, "instances"),
        _parsed(count_up_to(MOST_FRAMES), max_batch, "max_batch"),
        _parsed(microseconds, batch_delay_us, "batch_delay_us"),
    )
    check_destinations([], [os.fspath(bundle), *([] if public_key is None else [os.fspath(public_key)])], [Path(out)])
    opened = open_bundle(bundle, expected_sha256=expected_sha256, public_key=public_key)
    return write_repository(opened, Path(out), serving)


def _parsed(parse: Callable[[str], Value], value: object, name: str) -> Value:
    """A value as its flag takes it.

    Raises:
        ValueError: the flag would refuse it.
    """
    try:
        return parse(str(value))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"{name}: {error}") from error


def _share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a share from 0 to 1, got {value}")
    return value
