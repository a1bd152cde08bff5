# SPDX-License-Identifier: Apache-2.0
"""The model card of a bundle: what it was made from, what it promises, and what it does not."""

from typing import Any

from lsood_runtime._bundle.manifest import Precision
from lsood_runtime._cli.report import precision_line

_CARD = """\
# Out-of-distribution monitor for {name}

Scores each camera frame by how far the entropy of its latent features lies from that of familiar frames
(Monte-Carlo DropBlock, nearest-neighbour entropy, {kind}). Higher is stranger; above **{threshold:.3f}** a frame is called
out of distribution.

```python
from lsood_runtime import OoDMonitor

with OoDMonitor("path/to/this/folder") as monitor:
    verdict = monitor.assess(frame)  # ({frame_height}, {frame_width}, 3) uint8, {channels}
```

| | |
|---|---|
| created | {created} |
| frames | {frame_width}x{frame_height} {channels}, resized to {network_width}x{network_height} in the graph |
| tap | {layers}, {tap_channels} dimensions |
| masks | {count} {mode}, seed {seed}: {sites} |
| entropy | k = {neighbors} of {count} samples, distances floored at {min_dist:g} |
| detector | {detector} |
| calibration | {source}, worth {effective:.0f} independent frames |
| precision | {precision} |
| parity with PyTorch | latent {latent:.1e}, segmentation {segmentation:.1e}, score {score:.1e}, {parity_frames} frames |

## What the thresholds promise

| operating point | threshold | target | known drives, {confidence:.0%} interval | new drives |
|---|---|---|---|---|
{points}

The target holds on average over frames that are exchangeable with the {held_out} held-out frames. The interval says what rate
this very threshold may have over frames of those drives. Frames of a new drive are promised what the last column says; a
single drive can promise nothing about new ones. Another camera, season or town is outside all of it.
{warnings}
## Known blind spots

- A shift that leaves the tapped features as they are goes unseen; weak glare is the usual one.
- The score says that a frame is unfamiliar, neither why nor where in the frame.
{evaluation}"""

_KINDS = {
    "kde": "exact Gaussian kernel density",
    "kde-classifier": "odds of two kernel densities",
    "mahalanobis": "Gaussian with a shrunk covariance",
    "knn": "distance to the nearest familiar frames",
}
_UNTESTED = "- It was not evaluated on out-of-distribution frames yet: `python -m export evaluate` does that.\n"


def model_card(facts: dict[str, Any]) -> str:
    """Render the card in Markdown from the manifest's facts."""
    detector, calibration = facts["detector"], facts["calibration"]
    points = facts["operating_points"]
    masks = {key: facts["masks"][key] for key in ("count", "mode", "seed")}
    return _CARD.format(
        name=facts["name"],
        created=facts["created"],
        kind=_KINDS[detector["kind"]],
        threshold=points[facts["operating_point"]]["value"],
        confidence=points[facts["operating_point"]]["confidence"],
        points="\n".join(_point(name, point) for name, point in points.items()),
        held_out=len(calibration["scores"]),
        source=calibration["source"],
        effective=calibration["effective_frames"],
        warnings="".join(f"\n**Warning:** {warning}.\n" for warning in calibration["warnings"]),
        evaluation=_evaluation(facts["evaluation"]),
        detector=_detector(detector),
        layers=", ".join(f"`{layer}`" for layer in facts["tap"]["layers"]),
        sites="; ".join(_site(site) for site in facts["config"]["sites"]),
        tap_channels=facts["tap"]["channels"],
        precision=precision_line(Precision(**facts["precision"])),
        latent=facts["parity"]["latent_max_abs"],
        segmentation=facts["parity"]["segmentation_disagreement"],
        score=facts["parity"]["score_max_abs"],
        parity_frames=facts["parity"]["frames"],
        **facts["input"],
        **masks,
        **facts["entropy"],
    )


def _detector(detector: dict[str, Any]) -> str:
    strange = f" and {detector['fit_ood_frames']} out-of-distribution frames" if detector["fit_ood_frames"] else ""
    scaled = ", standardised" if detector["standardise"] else ""
    pca = f", {detector['pca_components']} whitened principal components" if detector["pca_components"] else ""
    learned = "".join(f", {name} {value:.4g}" for name, value in detector["parameters"].items())
    fitted = f"{detector['fit_frames']} frames{strange}"
    return f"{_KINDS[detector['kind']]} on {fitted}{scaled}{pca}{learned}; chosen because: {detector['reason']}"


def _point(name: str, point: dict[str, Any]) -> str:
    new = "no promise" if point["new_drive_rate"] is None else f"at most {point['new_drive_rate']:.1%}"
    interval = f"{point['rate_low']:.1%} to {point['rate_high']:.1%}"
    return f"| {name} | {point['value']:.4g} | {point['false_alarm_rate']:.1%} of {point['guarantee']} | {interval} | {new} |"


def _evaluation(figures: dict[str, Any]) -> str:
    """The figures of an evaluation, as ``export.cli.evaluate`` hands them over."""
    if not figures:
        return _UNTESTED
    rate, low, high = figures["false_alarm_rate"]
    rows = "\n".join(
        f"| {shift['name']} | {shift['frames']} | {shift['auroc']:.3f} | {shift['miss_rate']:.1%} |"
        for shift in figures["shifts"]
    )
    blind = ", ".join(figures["blind"]) or "none of these"
    return f"""- Shifts that it does not tell apart (AUROC below 0.8): {blind}.

## Evaluated

{figures["created"]}, operating point {figures["operating_point"]}: {rate:.1%} ({low:.1%} to {high:.1%}) of
{figures["ind_frames"]} in-distribution frames were flagged.

| shift | frames | AUROC | missed at the threshold |
|---|---|---|---|
{rows}
"""


def _site(site: dict[str, Any]) -> str:
    block = "" if site["block_size"] is None else f", block size {site['block_size']}"
    added = " (added for sampling)" if site["added"] else ""
    return f"{site['kind']} at `{site['layer']}`{added}, drop probability {site['drop_prob']:g}{block}"
