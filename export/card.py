# SPDX-License-Identifier: Apache-2.0
"""The model card of a bundle: what it was made from, what it promises, and what it does not."""

from typing import Any

_CARD = """\
# Out-of-distribution monitor for {name}

Scores each camera frame by how far the entropy of its latent features lies from that of familiar frames
(Monte-Carlo DropBlock, nearest-neighbour entropy, Gaussian kernel density). Higher is stranger; above
**{threshold:.3f} nats** a frame is called out of distribution.

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
| density | exact Gaussian sum over {fit_frames} frames, bandwidth {bandwidth:.4g} ({bandwidth_rule}){pca} |
| threshold | {rule}, target {rate:.2%} false alarms, {held_out} held-out frames |
| parity with PyTorch | latent {latent:.1e}, segmentation {segmentation:.1e}, score {score:.1e} nats, {parity_frames} frames |

## What the threshold promises

Over frames that are exchangeable with the {held_out} calibration frames that set it, at most {rate:.2%} are flagged on
average. Frames of a new drive, another camera, season or town are not exchangeable with them: expect more alarms there,
and calibrate on drives that the network was not trained on.

## Known blind spots

- A shift that leaves the tapped features as they are goes unseen; weak glare is the usual one.
- The score says that a frame is unfamiliar, neither why nor where in the frame.
- It was not evaluated on out-of-distribution frames by this export: do so before relying on it.
"""


def model_card(facts: dict[str, Any]) -> str:
    """Render the card in Markdown from the manifest's facts."""
    components = facts["detector"]["pca_components"]
    masks = {key: facts["masks"][key] for key in ("count", "mode", "seed")}
    return _CARD.format(
        name=facts["name"],
        created=facts["created"],
        threshold=facts["threshold"]["value"],
        rate=facts["threshold"]["false_alarm_rate"],
        rule=facts["threshold"]["rule"],
        held_out=len(facts["calibration"]["scores"]),
        layers=", ".join(f"`{layer}`" for layer in facts["tap"]["layers"]),
        sites="; ".join(_site(site) for site in facts["config"]["sites"]),
        tap_channels=facts["tap"]["channels"],
        pca=f", after {components} whitened principal components" if components else "",
        latent=facts["parity"]["latent_max_abs"],
        segmentation=facts["parity"]["segmentation_disagreement"],
        score=facts["parity"]["score_max_abs"],
        parity_frames=facts["parity"]["frames"],
        **facts["input"],
        **masks,
        **facts["entropy"],
        **{key: facts["detector"][key] for key in ("bandwidth", "bandwidth_rule", "fit_frames")},
    )


def _site(site: dict[str, Any]) -> str:
    block = "" if site["block_size"] is None else f", block size {site['block_size']}"
    added = " (added for sampling)" if site["added"] else ""
    return f"{site['kind']} at `{site['layer']}`{added}, drop probability {site['drop_prob']:g}{block}"
