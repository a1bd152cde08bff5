# SPDX-License-Identifier: Apache-2.0
"""Choose the parts of a detector: those that a user names, or the default ones for the features that a network gives."""

from collections.abc import Sequence

from export.detectors.fitted import PartOptions
from export.detectors.registry import FUSED, detector_spec
from export.errors import UsageError
from export.features.key import PICTURE, FeatureKey, FeatureKind

_AT, _AND = "@", "+"

LAYERS_WEIGHT, PICTURE_WEIGHT, ENERGY_WEIGHT = 1.0, 3.0, 1.0
"""Weights of the default parts: of all that read inside the network together, of the picture, and of the energy."""


def parse_feature(text: str) -> FeatureKey:
    """Read the name of a feature.

    Raises:
        UsageError: it is none.
    """
    try:
        return FeatureKey.parse(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def parse_part(text: str) -> PartOptions:
    """Read a part from ``KIND@FEATURE``, or ``KIND@FEATURE+FEATURE`` for features side by side.

    Raises:
        UsageError: another form, an unknown detector or feature, or features that the detector does not take.
    """
    kind, at, features = text.partition(_AT)
    if not at or kind == FUSED:
        raise UsageError(
            f"expected a part as DETECTOR{_AT}FEATURE, got {text!r}: mahalanobis{_AT}entropy and "
            f"output-score{_AT}energy/mean are such parts"
        )
    detector_spec(kind)
    return PartOptions(kind, tuple(parse_feature(name) for name in features.split(_AND)))


def fused_parts(available: Sequence[FeatureKey], taps: Sequence[str]) -> tuple[PartOptions, ...]:
    """Default parts of the fused detector: Gaussians of entropies, of layers' moments and of the picture, and the energy.

    The picture shows faults of the camera and the coder, which a network that has learnt little shows less; early layers see
    the camera, late ones the scene; the energy sees what the network makes of both. The entropies stand for the taps: moments
    of the same maps beside them add cost and no detection. Layers say much the same, so that they share one vote. Gaussians
    count less where few drives fit them; the energy is not fitted. What was compared, and on which frames:
    docs/results/fused.md.

    Args:
        available: features that the network gives.
        taps: layers that are sampled.
    """
    layers = [
        key
        for key in available
        if key.kind is FeatureKind.ENTROPY or (key.kind is FeatureKind.MOMENTS and key.layer not in taps)
    ]
    weights = dict.fromkeys(layers, LAYERS_WEIGHT / max(len(layers), 1)) | {PICTURE: PICTURE_WEIGHT}
    energy = FeatureKey.output_score(FeatureKind.ENERGY)
    scores = [PartOptions("output-score", (energy,), weight=ENERGY_WEIGHT)] if energy in available else []
    gaussians = (
        PartOptions("mahalanobis", (key,), weight=weights[key], needs_drives=True)
        for key in available
        if key in weights
    )
    return (*gaussians, *scores)


def one_part(
    kind: str,
    reads: Sequence[FeatureKey],
    available: Sequence[FeatureKey],
    taps: Sequence[str],
    *,
    standardise: bool = False,
    pca: int | None = None,
) -> PartOptions:
    """The part of a detector that has one.

    Args:
        kind: a name of :func:`export.detectors.registry.detector_names`.
        reads: features; none for those that the kind reads by default: of layers the last tap, of output scores the mean.
        available: features that the network gives.
        taps: layers that are sampled, in the order of the latent's parts.
        standardise: see :class:`~export.detectors.fitted.PartOptions`.
        pca: as there.

    Raises:
        UsageError: features that the detector does not take, or a default one that the network does not give.
    """
    keys = tuple(reads)
    if not keys:
        of_kinds = [[key for key in available if key.kind is wanted] for wanted in detector_spec(kind).reads]
        missing = [str(wanted) for wanted, found in zip(detector_spec(kind).reads, of_kinds, strict=True) if not found]
        if missing:
            raise UsageError(
                f"expected a network that gives {', '.join(missing)} for --detector {kind}, this one does not: name others "
                "by --reads, or ask for another --segmentation"
            )
        keys = tuple(_default(found, taps) for found in of_kinds)
    return PartOptions(kind, keys, standardise=standardise, pca=pca)


def _default(keys: Sequence[FeatureKey], taps: Sequence[str]) -> FeatureKey:
    """Of output scores the mean over the pixels, which stands first; of layers the last tap, which lies behind the others."""
    of_taps = [key for key in keys if key.kind is FeatureKind.MOMENTS and key.layer in taps]
    return of_taps[-1] if of_taps else keys[0]


def check_parts(parts: Sequence[PartOptions]) -> None:
    """Refuse parts of a sum that cannot stand in one, before any frame is measured.

    Raises:
        UsageError: a part that is named twice, or one that is fitted on out-of-distribution frames.
    """
    names = [part.name for part in parts]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise UsageError(f"expected each part once in --parts, got {'; '.join(twice)} more than once: drop one")
    with_ood = [part.kind for part in parts if detector_spec(part.kind).needs_ood_frames]
    if with_ood:
        raise UsageError(
            f"expected parts that in-distribution frames fit, got {', '.join(dict.fromkeys(with_ood))}, which needs "
            "out-of-distribution frames: drop it, or name it by --detector alone"
        )


def _words(keys: Sequence[FeatureKey]) -> str:
    """Names of features; scores of the output, which differ in two things, by what there is of each."""
    scores = [key for key in keys if key.aggregate is not None]
    kinds = ", ".join(dict.fromkeys(str(key.kind) for key in scores))
    aggregates = ", ".join(dict.fromkeys(str(key.aggregate) for key in scores))
    pairs = [f"<score>/<aggregate> with a score of {kinds} and an aggregate of {aggregates}"] if scores else []
    return ", ".join([*(str(key) for key in keys if key.aggregate is None), *pairs])


def check_available(parts: Sequence[PartOptions], available: Sequence[FeatureKey]) -> None:
    """Refuse parts that read what the network does not give.

    Raises:
        UsageError: it names the features, and how to get those of a layer.
    """
    missing = [str(key) for part in parts for key in part.keys if key not in available]
    if missing:
        raise UsageError(
            f"expected features that the network gives, it has no {', '.join(dict.fromkeys(missing))}: choose among "
            f"{_words(available)}; or observe more layers by --feature-layers"
        )
