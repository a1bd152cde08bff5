# SPDX-License-Identifier: Apache-2.0
"""Recognise probabilities where logits are expected, by what a network gives for frames."""

from collections.abc import Iterable

import torch
from torch import Tensor

from export.errors import ConversionError
from export.findings import PLACEHOLDER
from export.graphs.output_forms import OutputForm

_CLOSE = 1e-3
"""Allowed difference of a sum of probabilities from 1; float16 inside a network makes some."""


def check_output_form(outputs: Iterable[Tensor], form: OutputForm | None) -> OutputForm:
    """Check on the outputs for some frames that they are what they are said to be.

    Args:
        outputs: ``(B, K, h, w)`` each; none are looked at where the form is given as logits.
        form: what the user says that they are; None for logits that do not look like anything else.

    Raises:
        ConversionError: outputs that look like probabilities while nothing is said, or that are said to be some and are not.
    """
    if form == "logits":
        return form
    seen = [_look(output.double()) for output in outputs]
    found = seen[0] if len(set(seen)) == 1 else "logits"
    remedy = {"one probability": "probabilities", "sigmoids": PLACEHOLDER}.get(found, found)
    if form is None and found == "logits":
        return "logits"
    if form is None:
        raise ConversionError(_REMEDIES[found], words=("--network-output", remedy))
    wanted = ("probabilities", "one probability") if form == "probabilities" else (form,)
    if found not in wanted:
        raise ConversionError(
            f"expected {form} of the network, as --network-output says, its outputs for {len(seen)} frames are none: they do "
            "not lie in their range or do not sum to 1 over the classes: give --network-output logits, or leave it out",
            words=("--network-output", remedy),
        )
    return form


_LOGITS = "expected logits of the network, "
_REMEDIES = {
    "probabilities": f"{_LOGITS}its outputs sum to 1 over the classes at every pixel: give --network-output probabilities, "
    "and logits are made of them, or return what comes before the softmax",
    "log-probabilities": f"{_LOGITS}the exponentials of its outputs sum to 1 over the classes at every pixel: give "
    "--network-output log-probabilities, and logits are made of them, or return what comes before the log-softmax",
    "one probability": f"{_LOGITS}its one output lies in [0, 1] at every pixel as a sigmoid's does: give --network-output "
    "probabilities, and logits are made of it, or --network-output logits if it is a logit after all",
    "sigmoids": f"{_LOGITS}all of its outputs lie in [0, 1], as sigmoids of independent classes do: return what comes before "
    "the sigmoid, or give --network-output logits to take them as they are",
}


def _look(output: Tensor) -> str:
    """What the output of some frames looks like."""
    within = bool(((output >= 0) & (output <= 1 + _CLOSE)).all())
    if output.shape[1] == 1:
        return "one probability" if within else "logits"
    if within:
        sums = output.sum(dim=1)
        return "probabilities" if bool(((sums - 1).abs() <= _CLOSE).all()) else "sigmoids"
    sums = torch.logsumexp(output, dim=1)
    return "log-probabilities" if bool((sums.abs() <= _CLOSE).all()) else "logits"
