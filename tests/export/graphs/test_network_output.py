# SPDX-License-Identifier: Apache-2.0
"""Logits made of one channel and of probabilities: their energies, entropies and largest probabilities against torch's."""

from functools import cache
from typing import Any, get_args

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.nn import functional as F

from export.bundle.logits_reference import LogitsReference
from export.features.key import FeatureKey, FeatureKind
from export.graphs.network_output import as_logits
from export.graphs.output_features import OutputFeatures
from export.graphs.output_forms import OutputForm
from tests.export.module_sessions import module_session

FORMS: tuple[OutputForm, ...] = get_args(OutputForm)
SHAPE = (6, 7)
seeds = st.integers(0, 2**32 - 1)
forms = st.sampled_from(FORMS)


def random_logits(seed: int, classes: int, spread: float) -> Tensor:
    return spread * torch.randn(2, classes, *SHAPE, generator=torch.Generator().manual_seed(seed))


def returned(logits: Tensor, form: OutputForm) -> Tensor:
    """What a network with these logits returns, computed in float64."""
    wide = logits.double()
    one = logits.shape[1] == 1
    values = {
        "logits": wide,
        "probabilities": wide.sigmoid() if one else wide.softmax(1),
        "log-probabilities": F.logsigmoid(wide) if one else wide.log_softmax(1),
    }[form]
    return values.float()


def mean_scores(logits: Tensor) -> dict[FeatureKind, Tensor]:
    features = OutputFeatures(logits)
    kinds = (FeatureKind.ENERGY, FeatureKind.PREDICTIVE_ENTROPY, FeatureKind.MAXIMUM_SOFTMAX, FeatureKind.MAXIMUM_LOGIT)
    return {kind: features[FeatureKey.output_score(kind)][:, 0] for kind in kinds}


@given(seeds, forms, st.floats(0.1, 3.0))
def test_as_logits_of_one_channel_has_the_scores_of_a_bernoulli(seed: int, form: OutputForm, spread: float) -> None:
    logits = random_logits(seed, 1, spread).clamp(-9, 9)
    made = as_logits(returned(logits, form), form)
    assert made.shape == (2, 2, *SHAPE)
    scores, wide = mean_scores(made), logits.double()[:, 0]
    pixels = Bernoulli(logits=wide)
    expected = {
        FeatureKind.ENERGY: -F.softplus(wide),
        FeatureKind.PREDICTIVE_ENTROPY: pixels.entropy(),  # type: ignore[no-untyped-call]
        FeatureKind.MAXIMUM_SOFTMAX: -torch.maximum(pixels.probs, 1 - pixels.probs),
        FeatureKind.MAXIMUM_LOGIT: -wide.clamp(min=0),
    }
    for kind, values in expected.items():
        torch.testing.assert_close(scores[kind].double(), values.mean((1, 2)), rtol=1e-4, atol=2e-4)
    assert torch.equal(OutputFeatures(made).classes, (logits[:, 0] > 0).long())


@given(seeds, st.sampled_from(FORMS[1:]), st.integers(2, 21), st.floats(0.1, 2.0))
def test_as_logits_of_probabilities_has_the_scores_of_the_centred_logits(
    seed: int, form: OutputForm, classes: int, spread: float
) -> None:
    logits = random_logits(seed, classes, spread)
    made = as_logits(returned(logits, form), form)
    centred = (logits - logits.mean(1, keepdim=True)).double()
    torch.testing.assert_close(made.double(), centred, rtol=1e-4, atol=1e-4)
    pixels = Categorical(logits=logits.double().movedim(1, -1))
    expected = {
        FeatureKind.ENERGY: -torch.logsumexp(centred, 1),
        FeatureKind.PREDICTIVE_ENTROPY: pixels.entropy(),  # type: ignore[no-untyped-call]
        FeatureKind.MAXIMUM_SOFTMAX: -pixels.probs.amax(-1),
        FeatureKind.MAXIMUM_LOGIT: -centred.amax(1),
    }
    scores = mean_scores(made)
    for kind, values in expected.items():
        torch.testing.assert_close(scores[kind].double(), values.mean((1, 2)), rtol=1e-4, atol=1e-4)


@given(seeds, st.integers(1, 5))
def test_as_logits_of_logits_keeps_several_classes_as_they_are(seed: int, classes: int) -> None:
    logits = random_logits(seed, classes + 1, 2.0)
    assert as_logits(logits, "logits") is logits


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("classes", [1, 4])
def test_as_logits_of_probabilities_of_0_and_1_is_finite(form: OutputForm, classes: int) -> None:
    logits = torch.zeros(1, classes, 2, 2)
    logits[:, 0, 0], logits[:, 0, 1] = 400, -400
    assert as_logits(returned(logits, form), form).isfinite().all()


class Made(nn.Module):
    def __init__(self, form: OutputForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, output: Tensor) -> Tensor:
        return as_logits(output, self.form)


@cache
def session(form: OutputForm, classes: int) -> ort.InferenceSession:
    return module_session(Made(form), (classes, *SHAPE), "output", ["logits"])


@settings(max_examples=30)
@given(seeds, forms, st.sampled_from([1, 3]), st.floats(0.1, 30.0))
def test_as_logits_in_onnx_runtime_and_in_the_reference_are_the_same(
    seed: int, form: OutputForm, classes: int, spread: float
) -> None:
    output = returned(random_logits(seed, classes, spread), form)
    expected = as_logits(output, form).numpy()
    (got,) = session(form, classes).run(None, {"output": output.numpy()})
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-3)  # of the steps of float32 beside 1
    np.testing.assert_allclose(LogitsReference(form)(output.numpy()), expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("classes", [1, 3])
def test_as_logits_of_nan_is_nan_in_onnx_runtime_too(form: OutputForm, classes: int) -> None:
    output: Any = returned(random_logits(0, classes, 1.0), form).numpy().copy()
    output[0, 0, 2, 3] = np.nan
    (got,) = session(form, classes).run(None, {"output": output})
    assert np.isnan(got[0, -1 if classes == 1 else 0, 2, 3])
    assert np.isnan(got).sum() <= classes
