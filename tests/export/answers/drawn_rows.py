# SPDX-License-Identifier: Apache-2.0
"""Features of clean and degraded frames, drawn at random, whose quality and cause are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.answers.rows import CHANGED_SEVERITY, UNKNOWN_SEVERITY, DegradedRows
from export.features.key import OUTPUT_SCORES, PICTURE, FeatureKey, FeatureKind

TAP = "decoder"
KINDS = ("fog", "mud", "noise")
WIDTHS = {
    FeatureKey.moments("layer1"): 12,
    FeatureKey.moments("layer2"): 8,
    FeatureKey.moments(TAP): 10,
    PICTURE: 6,
    FeatureKey(FeatureKind.LOGIT_MOMENTS): 6,
    FeatureKey(FeatureKind.CLASS_SHARE): 3,
    **{FeatureKey.output_score(kind): 1 for kind in OUTPUT_SCORES},
}


def draw_rows(
    seed: int,
    drives: int = 8,
    frames: int = 5,
    kinds: Sequence[str] = KINDS,
    *,
    world: int = 0,
    noise: float = 0.05,
    segmented: bool = True,
) -> DegradedRows:
    """Every frame clean, and in every kind at two severities.

    Args:
        seed: of frames and drives.
        drives: how many.
        frames: of each drive.
        kinds: of degradation.
        world: seed of what kinds do to features, the same for sets that are to be compared.
        noise: deviation of the quality around what the features tell.
        segmented: whether the rows have a quality.
    """
    rng, laws = np.random.default_rng(seed), np.random.default_rng(world)
    total = sum(WIDTHS.values())
    scale, harm, moves = laws.uniform(0.5, 2, total), laws.normal(size=total), laws.normal(size=(9, total))
    inside = np.repeat(
        [(key.is_of_layers and key.layer != TAP) or key == PICTURE for key in WIDTHS], list(WIDTHS.values())
    )
    shift = np.where(inside, 8 * moves, 6 * harm + 0.3 * moves)  # tap and output feel every kind much alike
    columns, kind, severity, drive, frame, quality = [], [], [], [], [], []
    for d in range(drives):
        of_drive = rng.normal(0, 0.5, total)
        for f in range(frames):
            own = of_drive + rng.normal(0, 1, total)
            cells = [("none", 0)] + [(name, int(s)) for name in kinds for s in rng.choice((1, 2, 3, 4, 5), 2, False)]
            for name, level in cells:
                place = 0 if name == "none" else 1 + KINDS.index(name)
                hurt = level / 5
                columns.append((own + hurt * shift[place]) * scale)
                quality.append(0.9 - 0.6 * hurt + rng.normal(0, noise))
                kind.append(name)
                severity.append(level)
                drive.append(f"d{d}")
                frame.append(d * frames + f)
    ends = np.cumsum(list(WIDTHS.values()))
    parts = np.split(np.array(columns, np.float32), ends[:-1], axis=1)
    return DegradedRows(
        values=dict(zip(WIDTHS, parts, strict=True)),
        kind=np.array(kind),
        severity=np.array(severity, np.int64),
        drive=np.array(drive),
        frame=np.array(frame, np.int64),
        quality=np.clip(quality, 0, 1) if segmented else None,
        measure="agreement" if segmented else None,
    )


def with_own(rows: DegradedRows, kind: str, folders: int = 1) -> DegradedRows:
    """The rows, of which those of a kind are frames of a user's own, behind all others.

    Args:
        rows: drawn ones.
        kind: which kind is the user's own.
        folders: that its frames lie in.
    """
    order = np.argsort(rows.kind == kind, kind="stable")
    rows = rows.chosen(order)
    own = rows.kind == kind
    number = np.cumsum(own)
    drive = np.array([f"{kind}: {place % folders}" for place in number])
    return replace(
        rows,
        severity=np.where(own, UNKNOWN_SEVERITY, rows.severity),
        frame=np.where(own, rows.frame.max() + number, rows.frame),
        drive=np.where(own, drive, rows.drive),
        quality=None if rows.quality is None else np.where(own, np.nan, rows.quality),
    )


def with_changed(rows: DegradedRows, move: float, seed: int = 0) -> DegradedRows:
    """The rows, and each clean frame once more, moved the same way.

    Args:
        rows: drawn ones.
        move: how far, in units of the features' deviation over all rows.
        seed: of the direction.
    """
    clean, rng = rows.chosen(rows.severity == 0), np.random.default_rng(seed)
    moved = {
        key: (numbers + move * rows.values[key].std(axis=0) * rng.normal(size=numbers.shape[1])).astype(np.float32)
        for key, numbers in clean.values.items()
    }
    return DegradedRows(
        {key: np.concatenate([numbers, moved[key]]) for key, numbers in rows.values.items()},
        np.concatenate([rows.kind, clean.kind]),
        np.concatenate([rows.severity, np.full(len(clean), CHANGED_SEVERITY)]),
        np.concatenate([rows.drive, clean.drive]),
        np.concatenate([rows.frame, clean.frame]),
        None if rows.quality is None or clean.quality is None else np.concatenate([rows.quality, clean.quality]),
        rows.measure,
    )
