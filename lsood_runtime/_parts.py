# SPDX-License-Identifier: Apache-2.0
"""The parts of a score: which share each of them has."""

from collections.abc import Iterator, Mapping


class Parts(Mapping[str, float]):
    """Each part's share of a score by the part's name; immutable, and unlike a mapping proxy it can be pickled.

    Args:
        shares: by name, in the order of the detector.
    """

    __slots__ = ("_shares",)

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = dict(shares)

    def __getitem__(self, name: str) -> float:
        return self._shares[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shares)

    def __len__(self) -> int:
        return len(self._shares)

    def __hash__(self) -> int:
        return hash(frozenset(self._shares.items()))

    def __repr__(self) -> str:
        return f"Parts({self._shares})"


NO_PARTS = Parts({})
"""Of a detector of one part."""
