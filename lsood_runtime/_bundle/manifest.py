# SPDX-License-Identifier: Apache-2.0
"""The manifest of a bundle: its metadata as JSON, read, checked and written here.

``SCHEMA`` counts up by one when a reader of the old schema would misread a new bundle: a field removed, renamed, or
given another meaning or unit. A new field that an old reader may ignore does not count it up. A reader takes its own
schema and the older ones of ``READABLE``, and refuses every other. ``tests/data/bundles`` holds a frozen bundle of each of
them; whoever counts the schema up makes the reader take the older ones too, since the tests load every frozen bundle.

- Schema 3 added ``features`` and ``detector.parts``. A bundle of schema 2 has one feature, the latent samples, and no parts.
- Schema 4 added ``manifest.sha256`` beside the manifest, and allows no file that the manifest does not record.
- Schema 5 added ``answers``, by which ``detector.onnx`` has further outputs.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from itertools import chain
from reprlib import repr as short_repr
from typing import Any, Self

from lsood_runtime._bundle import answers_checks, score_checks, value_checks
from lsood_runtime._bundle.answers_records import AnswersRecord
from lsood_runtime._bundle.record_parser import field_error, parse_record
from lsood_runtime._bundle.records import (
    LATENT_SAMPLES,
    CalibrationRecord,
    DetectorRecord,
    EntropyRecord,
    FileRecord,
    GoldenRecord,
    InputContract,
    MasksRecord,
    OperatingPoint,
    ParityRecord,
    PixelsRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
)
from lsood_runtime._exceptions import BundleError, one_line
from lsood_runtime._text.json_values import parse_json

SCHEMA = 5
"""The schema of the bundles that this version makes."""

READABLE = (2, 3, 4, SCHEMA)
"""The schemas that it reads."""

FIRST_WITH_DIGEST = 4
"""The first schema whose manifests have their digest beside them."""


def no_answers() -> None:
    """The answers of a bundle that gives none, as all older ones."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Metadata of a bundle.

    Attributes:
        schema: version of the format: :data:`SCHEMA` for a new bundle, or an older one that is read.
        name: class of the network.
        created: date and time of the export, ISO 8601.
        input: form of a frame, and its preprocessing.
        segmentation: the segmentation output.
        tap: the sampled layers.
        masks: how the Monte-Carlo samples are drawn.
        features: shape behind the batch of each feature by its name: the outputs of ``segmentation.onnx`` beside the
            segmentation, which are the inputs of ``detector.onnx``.
        network_sha256: digest of the network's graph; calibrating again leaves it as it is.
        entropy: constants of the entropy estimate.
        detector: of the score, fitted on the features.
        operating_point: name of the operating point that holds unless another is chosen.
        operating_points: thresholds by name.
        calibration: the frames that set the thresholds.
        parity: differences between the graphs and PyTorch.
        golden: tolerance of the scores of golden frames.
        evaluation: figures of ``python -m export evaluate --update-card``; empty before that.
        versions: of the packages that made the bundle, by name.
        config: options of the export.
        files: digest and length of every other file of the bundle, by name.
        precision: of the network's numbers.
        pixels: what was stated of the calibration frames; nothing where a bundle does not record it.
        answers: what the bundle answers beside the score; None where it answers nothing.
    """

    schema: int
    name: str
    created: str
    input: InputContract
    segmentation: SegmentationRecord
    tap: TapRecord
    masks: MasksRecord
    features: dict[str, tuple[int, ...]]
    network_sha256: str
    entropy: EntropyRecord
    detector: DetectorRecord
    operating_point: str
    operating_points: dict[str, OperatingPoint]
    calibration: CalibrationRecord
    parity: ParityRecord
    golden: GoldenRecord
    evaluation: dict[str, Any]
    versions: dict[str, str | int]
    config: dict[str, Any]
    files: dict[str, FileRecord]
    precision: PrecisionRecord = field(default_factory=PrecisionRecord)
    pixels: PixelsRecord = field(default_factory=PixelsRecord)
    answers: AnswersRecord | None = field(default_factory=no_answers)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse and check a manifest.

        Raises:
            BundleError: no JSON object, another schema, or a field that is missing, of another type, or not finite.
        """
        try:
            values: object = parse_json(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise BundleError(
                f"expected the manifest to be JSON, got damaged text ({one_line(error)}): copy the bundle again"
            ) from error
        if not isinstance(values, dict):
            raise BundleError(
                f"expected the manifest to be a JSON object, got {type(values).__name__}: copy the bundle again"
            )
        schema = values.get("schema")
        if schema not in READABLE or isinstance(schema, bool):
            raise BundleError(
                f"expected a manifest of schema {_any_of(READABLE)}, got {short_repr(schema)}: "
                "export again with this version, or install the version that wrote it"
            )
        manifest = cls._from_schema_2(values) if schema == 2 else parse_record(cls, values)
        for where, holds, expected, value in manifest._value_checks():
            if not holds:
                raise field_error(where, expected, value)
        return manifest

    @classmethod
    def _from_schema_2(cls, values: dict[str, Any]) -> Self:
        """Parse a manifest of schema 2, whose detector reads the latent samples alone, in one part."""
        manifest = parse_record(cls, values | {"features": {}})
        return dataclasses.replace(
            manifest,
            features={LATENT_SAMPLES: (manifest.masks.count, manifest.tap.channels)},
            detector=dataclasses.replace(manifest.detector, parts=()),
        )

    @property
    def threshold(self) -> OperatingPoint:
        """The operating point that holds unless another is chosen."""
        return self.operating_points[self.operating_point]

    def choose_operating_point(self, name: str | None) -> str:
        """The name of one of the operating points; None for the one that the manifest names.

        Raises:
            BundleError: the bundle has no operating point of this name.
        """
        chosen = self.operating_point if name is None else name
        if not isinstance(chosen, str) or chosen not in self.operating_points:
            raise BundleError(
                f"expected an operating point of the bundle ({', '.join(self.operating_points)}), got {chosen!r}: "
                "choose one of these"
            )
        return chosen

    def to_json(self) -> str:
        """The manifest as indented JSON.

        Raises:
            ValueError: a number is not finite.
        """
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"

    def _value_checks(self) -> chain[value_checks.Check]:
        return chain(
            value_checks.of_input(self.input),
            value_checks.of_masks(self.masks),
            value_checks.of_segmentation(self.segmentation),
            value_checks.of_features(self.features, self.masks, self.tap),
            value_checks.of_entropy(self.entropy),
            value_checks.of_detector(self.detector),
            value_checks.of_parts(self.detector.parts, self.features),
            value_checks.of_operating_points(self.operating_point, self.operating_points),
            value_checks.of_calibration(self.calibration),
            value_checks.of_precision(self.precision),
            value_checks.of_parity(self.parity),
            value_checks.of_digests(self.network_sha256, self.masks),
            value_checks.of_files(self.files),
            value_checks.of_golden(self.golden),
            value_checks.of_pixels(self.pixels),
            answers_checks.of_answers(self.answers, self.segmentation),
            answers_checks.of_golden(self.golden, self.answers, self.masks.mode),
            score_checks.of_tolerance(self.golden, self.calibration, self.masks.mode),
            score_checks.of_pixels(self.golden, self.parity, self.precision),
            score_checks.of_thresholds(self.operating_points, self.calibration),
        )


def _any_of(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"
