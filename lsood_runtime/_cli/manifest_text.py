# SPDX-License-Identifier: Apache-2.0
"""Format the metadata of a bundle as text."""

from collections.abc import Iterable

from lsood_runtime._bundle.answer_sentences import answer_sentences
from lsood_runtime._bundle.digests import DIGEST_FILE
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.reader import SealedManifest
from lsood_runtime._bundle.records import LATENT_SAMPLES
from lsood_runtime._bundle.sentences import (
    detector_sentence,
    floor_sentence,
    operating_point_sentence,
    part_sentence,
    pixels_sentence,
    precision_sentence,
)
from lsood_runtime._text.counted import counted
from lsood_runtime._text.printable import printable
from lsood_runtime._text.wrapped import wrapped

_WIDEST = 24
"""Letters of the column of subjects, at most; the text of a longer subject begins behind it."""


def describe(sealed: SealedManifest) -> str:
    """Format the metadata of a bundle: a line for each subject, broken where the terminal ends."""
    manifest = sealed.manifest
    contract, segmentation = manifest.input, manifest.segmentation
    calibration, parity = manifest.calibration, manifest.parity
    scores = calibration.scores
    picked = {share: scores[round(share * (len(scores) - 1))] for share in (0, 0.25, 0.5, 0.75, 1)}
    quantiles = ", ".join(f"{share:.0%} {score:.3f}" for share, score in picked.items())
    padded = f"padded by {contract.pad[0]} rows and {contract.pad[1]} columns, " if any(contract.pad) else ""
    lines = {
        "name": manifest.name,
        "created": f"{manifest.created}, schema {manifest.schema}",
        "manifest": f"sha256 {sealed.sha256}"
        + (f", as {DIGEST_FILE} states" if sealed.has_digest_file else f"; this bundle has no {DIGEST_FILE}"),
        "frame": f"({contract.frame_height}, {contract.frame_width}, 3) uint8, {contract.channels.upper()}",
        "images read": pixels_sentence(manifest.pixels),
        "network sees": f"{contract.network_height} x {contract.network_width}, {contract.network_channels.upper()}, "
        f"{contract.resize}, {padded}mean {_numbers(contract.mean)}, std {_numbers(contract.std)}",
        "segmentation": "none"
        if segmentation.kind == "none"
        else f"{segmentation.kind}, {counted(segmentation.num_classes or 0, 'class', plural='classes')}, "
        f"{segmentation.height} x {segmentation.width}",
        **_of_sampling(manifest),
        "features": ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in manifest.features.items()),
        "detector": detector_sentence(manifest.detector),
        **{f"part {part.name}": part_sentence(part) for part in manifest.detector.parts},
        "chosen because": manifest.detector.reason,
        **answer_sentences(manifest.answers),
        **{
            f"threshold {name}": operating_point_sentence(point)
            + (" [default]" if name == manifest.operating_point else "")
            for name, point in manifest.operating_points.items()
        },
        "calibration": f"{counted(len(scores), 'score')}, equivalent to {calibration.effective_frames:.0f} independent ones, "
        f"quantiles {quantiles} ({calibration.source})",
        **{f"warning {i}": warning for i, warning in enumerate(calibration.warnings, 1)},
        **{f"advice {i}": advice for i, advice in enumerate(calibration.advice, 1)},
        "parity": f"{counted(parity.frames, 'frame')}: latent {parity.latent_max_abs:.2g}, "
        f"segmentation {parity.segmentation_disagreement:.2g}, score {parity.score_max_abs:.2g}"
        + floor_sentence(parity.floor),
        "precision": precision_sentence(manifest.precision),
        "golden frames": ", ".join(
            f"{name} within {allowed:.3g}" + _pixels_text(manifest, name) + _answers_text(manifest, name)
            for name, allowed in manifest.golden.tolerance.items()
        ),
        "versions": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
        "files": ", ".join(f"{name} ({record.bytes:,} bytes)" for name, record in manifest.files.items()),
    }
    width = min(max(map(len, lines)), _WIDEST)
    return "".join(_beside(subject, text, width) for subject, text in lines.items())


def _beside(subject: str, text: str, width: int) -> str:
    """The text behind its subject, or on lines of its own where the subject is longer than its column."""
    if len(printable(subject)) <= width:
        return wrapped(printable(f"{subject:<{width}} {text}"), width + 1)
    return wrapped(printable(subject), 2) + wrapped(printable(f"{'':<{width}} {text}"), width + 1)


def _of_sampling(manifest: Manifest) -> dict[str, str]:
    """Tap, masks and entropies; nothing where the detector reads no latent samples."""
    if LATENT_SAMPLES not in manifest.features:
        return {}
    masks = manifest.masks
    return {
        "tap": f"{', '.join(manifest.tap.layers)}: {counted(manifest.tap.channels, 'dimension')}",
        "masks": f"{masks.count} {masks.mode}, seed {masks.seed}, drop probability {masks.drop_prob}, "
        f"block {masks.block_size}",
        "entropy": f"{counted(manifest.entropy.neighbors, 'neighbour')}, distances from {manifest.entropy.min_dist:g}",
    }


def _pixels_text(manifest: Manifest, provider: str) -> str:
    share = manifest.golden.pixel_changes.get(provider)
    return "" if share is None else f" and {share:.2%} of pixels"


def _answers_text(manifest: Manifest, provider: str) -> str:
    share = manifest.golden.answers.get(provider)
    return "" if share is None else f" and {share:.2%} of the range of an answer"


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
