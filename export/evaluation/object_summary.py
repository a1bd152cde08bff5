# SPDX-License-Identifier: Apache-2.0
"""Sentences about the unknown objects that a bundle tells, by frames in distribution and by masks."""

from export.bundle.evaluated_answers import EvaluatedAnswers
from export.bundle.evaluated_sentences import evaluated_sentences
from export.evaluation.evaluated_figures import evaluated_masks, evaluated_objects
from export.evaluation.result import Evaluation


def object_figures(result: Evaluation) -> EvaluatedAnswers:
    """The figures of objects and masks alone."""
    record = None if result.manifest.answers is None else result.manifest.answers.map
    masks = tuple(evaluated_masks(figures) for figures in result.masks)
    return EvaluatedAnswers(objects=evaluated_objects(result.object_rate, record), masks=masks)


def object_sentences(result: Evaluation) -> list[str]:
    """Say how often frames in distribution show an object, and how well maps and objects are those of the masks."""
    return evaluated_sentences(object_figures(result))
