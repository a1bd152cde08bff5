# SPDX-License-Identifier: Apache-2.0
"""Candidates of a search: detectors of one part on every feature, and the fused one, each with the export that makes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from export.detectors.fitted import PartOptions
from export.detectors.part_choice import fused_parts
from export.detectors.registry import FUSED
from export.evaluation.detector_ranking import Candidate
from export.features.key import OUTPUT_FEATURES, PICTURE, PICTURE_SPREAD, FeatureKey, FeatureKind

OUTPUT_SCORE = "output-score"


@dataclass(frozen=True)
class SearchCandidate(Candidate):
    """A detector with the tap, samples and layers that an export of it asks for.

    Attributes:
        tap: layer that is sampled, whether the detector reads it or not.
        samples: S.
    """

    tap: str
    samples: int

    @property
    def pca(self) -> int | None:
        """Whitened principal components; None for a fused detector and for features as they are."""
        return None if self.detector == FUSED else self.parts[0].pca

    @property
    def exported_parts(self) -> tuple[PartOptions, ...]:
        """The parts under the keys of an export, whose entropies are those of its one tap."""
        return tuple(replace(part, keys=tuple(map(exported_key, part.keys))) for part in self.parts)

    @property
    def reads(self) -> tuple[str, ...]:
        """Value of ``--reads``; empty for the entropies and for a fused detector, which need none."""
        keys = self.exported_parts[0].keys
        return () if self.detector == FUSED or keys == (FeatureKey.entropy(),) else tuple(map(str, keys))

    def words(self, *, short: bool = False) -> str:
        """What it reads, for tables.

        Args:
            short: of layers the last part of the name alone.
        """
        keys = [replace(key, layer=key.layer.rpartition(".")[2]) if short and key.layer else key for key in self.keys]
        first = next((key for key in keys if key.kind is FeatureKind.ENTROPY), keys[0])
        others = len(keys) - 1
        return f"{first.words} and {others} more" if others else first.words


def exported_key(key: FeatureKey) -> FeatureKey:
    """The key of a feature in an export of it."""
    return FeatureKey.entropy() if key.kind is FeatureKind.ENTROPY else key


def candidates(
    observed: Mapping[str, Sequence[str]],
    samples: Sequence[int],
    detectors: Sequence[str],
    components: Sequence[int],
) -> Iterator[SearchCandidate]:
    """Yield each detector on every feature, the fused one with every tap and S, and the output's scores as they are.

    Args:
        observed: for each tap, in the order of execution, the layers that an export of it observes beside it.
        samples: numbers of samples, ascending.
        detectors: of one part.
        components: numbers of PCA components before them; 0 for none.
    """
    taps = list(observed)

    def of_one_part(key: FeatureKey, tap: str, count: int) -> Iterator[SearchCandidate]:
        for detector in detectors:
            for pca in components:
                part = PartOptions(detector, (key,), pca=pca or None)
                yield SearchCandidate(detector, (part,), tap, count)

    for tap in taps:
        for count in samples:
            yield from of_one_part(FeatureKey.entropy(tap, count), tap, count)
    for layer in dict.fromkeys([*taps, *(layer for layers in observed.values() for layer in layers)]):
        tap = layer if layer in taps else next(tap for tap in taps if layer in observed[tap])
        yield from of_one_part(FeatureKey.moments(layer), tap, samples[0])
    energy = FeatureKey.output_score(FeatureKind.ENERGY)
    for key in (PICTURE, PICTURE_SPREAD, *OUTPUT_FEATURES):
        if key.kind.is_output_score:
            yield SearchCandidate(OUTPUT_SCORE, (PartOptions(OUTPUT_SCORE, (key,)),), taps[0], samples[0])
        else:
            yield from of_one_part(key, taps[0], samples[0])
    for tap, layers in observed.items():
        for count in samples:
            available = [FeatureKey.entropy(tap, count), *map(FeatureKey.moments, layers), PICTURE, energy]
            yield SearchCandidate(FUSED, fused_parts(available, [tap]), tap, count)
