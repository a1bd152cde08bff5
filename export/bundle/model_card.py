# SPDX-License-Identifier: Apache-2.0
"""The model card of a bundle: how it was made, what its thresholds guarantee, and its known blind spots."""

from export.bundle.card_metadata import card_metadata
from export.bundle.evaluated_sentences import evaluated_sentences
from export.bundle.evaluation_record import BlindRecord, EvaluationRecord, HurtingRecord, ShiftRecord
from export.detectors.registry import detector_noun
from export.features.key import LATENT_SAMPLES, FeatureKey
from lsood_runtime import Manifest
from lsood_runtime.offline import (
    OperatingPoint,
    PartRecord,
    answer_sentences,
    detector_sentence,
    floor_sentence,
    part_sentence,
    pixels_sentence,
    precision_sentence,
)

_CARD = """\
{metadata}# Out-of-distribution monitor for {manifest.name}

{summary} A higher score is further from the training distribution; above
**{default.value:.3f}** a frame is called out of distribution.

```python
from lsood_runtime import OoDMonitor

with OoDMonitor("path/to/this/folder") as monitor:
    verdict = monitor.assess(frame)  # ({input.frame_height}, {input.frame_width}, 3) uint8, {input.channels}
```

| | |
|---|---|
| created | {manifest.created} |
| frames | {input.frame_height} x {input.frame_width} (height x width) {input.channels}, \
resized to {input.network_height} x {input.network_width} in the graph{padded}; the network takes {input.network_channels} |
{sampling}| features | {features} |
| detector | {detector} |
{parts}| calibration | {calibration.source}, equivalent to {calibration.effective_frames:.0f} independent frames |
| images read | {pixels} |
| precision | {precision} |
| parity with PyTorch | latent {parity.latent_max_abs:.1e}, segmentation {parity.segmentation_disagreement:.1e}, \
score {parity.score_max_abs:.1e}, {parity.frames} frames{floor} |

## What the thresholds guarantee

| operating point | threshold | target | proven | known drives, {default.confidence:.0%} interval | \
expected on new drives | proven there |
|---|---|---|---|---|---|---|
{points}

{meaning} The interval on known drives is that of the rate which this very threshold has over further frames of the drives in
the calibration; the one on new drives includes the spread between drives. None of this covers another camera, season or town.
{warnings}{answers}
## Known blind spots

- A shift that leaves these features as they are goes unseen; weak glare is the usual one.
- {explains}
{evaluation}"""

_SAMPLING = """\
| tap | {layers}, {manifest.tap.channels} dimensions |
| masks | {masks.count} {masks.mode}, seed {masks.seed}: {sites} |
| entropy | k = {entropy.neighbors} of {masks.count} samples, distances floored at {entropy.min_dist:g} |
"""

_ENTROPY = str(FeatureKey.entropy())
_UNTESTED = "- It was not evaluated on out-of-distribution frames yet: `python -m export evaluate` does that.\n"


def model_card(manifest: Manifest, evaluation: EvaluationRecord | None = None) -> str:
    """Render the card in Markdown, with the metadata that the Hugging Face hub reads at its head.

    Args:
        manifest: of the bundle.
        evaluation: figures to show; None where the bundle was not evaluated yet.
    """
    noun = detector_noun(manifest.detector.kind)
    bottom, right = manifest.input.pad
    return _CARD.format(
        metadata=card_metadata(manifest, evaluation),
        padded=f", padded by {bottom} rows and {right} columns" if bottom or right else "",
        manifest=manifest,
        input=manifest.input,
        calibration=manifest.calibration,
        parity=manifest.parity,
        floor=floor_sentence(manifest.parity.floor),
        default=manifest.threshold,
        summary=_summary(manifest, noun),
        sampling=_sampling(manifest) if LATENT_SAMPLES in manifest.features else "",
        features=", ".join(f"`{name}`" for name in _features(manifest)),
        explains=_explains(manifest),
        points="\n".join(_point(name, point) for name, point in manifest.operating_points.items()),
        meaning=_meaning(manifest),
        warnings="".join(f"\n**Warning:** {warning}.\n" for warning in manifest.calibration.warnings)
        + "".join(f"\n{advice}.\n" for advice in manifest.calibration.advice),
        answers=_answers(manifest),
        evaluation=_UNTESTED if evaluation is None else _evaluation(evaluation),
        detector=f"{detector_sentence(manifest.detector, noun)}; chosen because: {manifest.detector.reason}",
        precision=precision_sentence(manifest.precision),
        pixels=pixels_sentence(manifest.pixels),
        parts="".join(_part(part) for part in manifest.detector.parts),
    )


def _answers(manifest: Manifest) -> str:
    """What the bundle answers beside the score; nothing where it answers nothing."""
    sentences = answer_sentences(manifest.answers)
    if not sentences:
        return ""
    rows = "".join(f"| {subject} | {sentence} |\n" for subject, sentence in sentences.items())
    return f"\n## What it answers beside the score\n\n| | |\n|---|---|\n{rows}"


def _features(manifest: Manifest) -> list[str]:
    """Names of the features that the detector reads."""
    return [_ENTROPY if name == LATENT_SAMPLES else name for name in manifest.features]


def _summary(manifest: Manifest, noun: str) -> str:
    """What is scored, and how."""
    parts, features = manifest.detector.parts, _features(manifest)
    sampled = "entropies by Monte-Carlo samples of a latent layer and their nearest neighbours"
    if parts:
        also = f" ({sampled})" if _ENTROPY in features else ""
        return (
            f"Scores each camera frame by the sum of {len(parts)} parts. Each compares features of the one forward pass with "
            f"those of in-distribution frames{also}, is standardised by its spread over\nframes that did not fit it, and "
            "compressed, so that no part outshouts the others."
        )
    if features == [_ENTROPY]:
        return (
            "Scores each camera frame by how far the entropy of its latent features lies from that of in-distribution "
            f"frames\n(Monte-Carlo samples of a latent layer, nearest-neighbour entropy, {noun})."
        )
    also = f", {sampled}" if _ENTROPY in features else ""
    return (
        f"Scores each camera frame by features of the one forward pass, {', '.join(f'`{name}`' for name in features)}\n"
        f"({noun}{also})."
    )


def _explains(manifest: Manifest) -> str:
    """What the score tells, and what it does not."""
    if manifest.detector.parts:
        return "The parts tell which features are far off, not what in the frame makes them so, nor where."
    return "The score tells whether a frame is out of distribution, not why nor where in the frame."


def _sampling(manifest: Manifest) -> str:
    """Rows of the tap, its masks and the entropies."""
    return _SAMPLING.format(
        manifest=manifest,
        masks=manifest.masks,
        entropy=manifest.entropy,
        layers=", ".join(f"`{layer}`" for layer in manifest.tap.layers),
        sites="; ".join(
            _site(site["layer"], site["kind"], site["drop_prob"], site["block_size"], site["added"])
            for site in manifest.config["sites"]
        ),
    )


def _part(part: PartRecord) -> str:
    return f"| part `{part.name}` | {part_sentence(part)} |\n"


def _meaning(manifest: Manifest) -> str:
    """What the target and the proven bound are about."""
    count, folds = len(manifest.calibration.scores), manifest.threshold.folds
    if not folds:
        return (
            f"The target holds on average over frames that are exchangeable with the {count} held-out frames. The rate under "
            "*proven there* is guaranteed for frames of a new drive; a single drive guarantees nothing about new ones."
        )
    return (
        f"Each of the {count} frames was scored by a detector that was fitted without its fold, one of {folds}; the shipped "
        "detector was then fitted on all frames. The target is what is expected of it on average where frames are "
        "independent, and more where they repeat each other: see the warnings. What is proven holds for "
        f"the {folds} detectors of the folds together and is looser; nothing is proven of the shipped one alone."
    )


def _point(name: str, point: OperatingPoint) -> str:
    new = "no guarantee" if point.new_drive_rate is None else f"at most {point.new_drive_rate:.1%}"
    expected = "not stated"
    if None not in (point.new_drives_expected, point.new_drives_low, point.new_drives_high):
        expected = f"{point.new_drives_expected:.1%}, {point.new_drives_low:.1%} to {point.new_drives_high:.1%}"
    interval = f"{point.rate_low:.1%} to {point.rate_high:.1%}"
    target = f"{point.false_alarm_rate:.1%} of {point.guarantee}"
    proven = "not stated" if point.proven_rate is None else f"at most {point.proven_rate:.1%}"
    return f"| {name} | {point.value:.4g} | {target} | {proven} | {interval} | {expected} | {new} |"


def _evaluation(figures: EvaluationRecord) -> str:
    rows = "\n".join(
        f"| {shift.name} | {shift.frames} | {shift.auroc:.3f} | {shift.miss_rate:.1%} | {_hurting_share(shift)} |"
        for shift in figures.shifts
    )
    blind = "".join(f"\n  - {_blind(spot)}" for spot in figures.blind) or " none of those evaluated."
    drives = (
        ""
        if not figures.drives
        else f" Of {figures.drives} drives {figures.mostly_flagged_drives} were flagged on more than half of their frames."
    )
    sentences = [] if figures.answers is None else evaluated_sentences(figures.answers)
    answered = f"\n{' '.join(sentences)}\n" if sentences else ""
    return f"""- Shifts that hurt the segmentation and that it misses at the threshold:{blind}

## Evaluated

{figures.created}, operating point {figures.operating_point}: {_with_interval(*figures.false_alarm_rate)} of
{figures.ind_frames} in-distribution frames were flagged.{drives}
{_hurting(figures.hurting)}{answered}
| shift | frames | AUROC | missed at the threshold | frames that hurt |
|---|---|---|---|---|
{rows}
"""


def _with_interval(share: float, low: float, high: float) -> str:
    """A share with its interval; alone where there were too few drives for one, which is 0 to 1."""
    return f"{share:.1%}" if (low, high) == (0, 1) else f"{share:.1%} ({low:.1%} to {high:.1%})"


def _blind(spot: BlindRecord) -> str:
    what = "frames that hurt" if spot.known_to_hurt else "frames, of which it is not known whether they hurt"
    return f"{spot.name}: {spot.missed:.0%} of {spot.frames} {what} missed, AUROC {spot.auroc:.2f}"


def _hurting_share(shift: ShiftRecord) -> str:
    return "not known" if shift.hurting_share is None else f"{shift.hurting_share:.0%}"


def _hurting(figures: HurtingRecord | None) -> str:
    if figures is None:
        return ""
    cells = (
        ""
        if figures.mean_auroc is None
        else f" Mean AUROC over the {figures.cells} cells that hurt {figures.mean_auroc:.3f}, worst kind "
        f"{figures.worst_kind} ({figures.worst_auroc:.3f})."
    )
    return (
        f"\n{figures.rule} Of the {figures.frames} "
        f"{'frame that hurts' if figures.frames == 1 else 'frames that hurt'} {_with_interval(*figures.missed)} "
        f"were missed at the threshold, AUROC {figures.auroc:.3f}.{cells}\n"
    )


def _site(layer: str, kind: str, drop_prob: float, block_size: int | None, added: bool) -> str:
    block = "" if block_size is None else f", block size {block_size}"
    for_sampling = " (added for sampling)" if added else ""
    return f"{kind} at `{layer}`{for_sampling}, drop probability {drop_prob:g}{block}"
