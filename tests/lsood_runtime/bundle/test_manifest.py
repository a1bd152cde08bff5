# SPDX-License-Identifier: Apache-2.0
"""The manifest's JSON: there and back again, and everything that is refused."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import SCHEMA, BundleError, Manifest
from lsood_runtime._bundle.records import FloorRecord
from tests.lsood_runtime.conftest import toy_manifest

FILES = {name: {"sha256": "ab" * 32, "bytes": 3} for name in ("segmentation.onnx", "detector.onnx", "golden.npz")}
_MISSING = object()


def text_with(path: str = "", value: Any = _MISSING) -> str:
    """The toy manifest with the field at a dotted path replaced, or removed."""
    document: Any = json.loads(json.dumps(toy_manifest() | {"files": FILES}))
    if path:
        *parents, last = path.split(".")
        inner = document
        for parent in parents:
            inner = inner[parent]
        if value is _MISSING:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(document)


def test_manifest_written_and_read_is_equal() -> None:
    manifest = Manifest.from_json(text_with())
    written = json.loads(manifest.to_json())
    assert written.pop("precision")["kind"] == "fp32"  # schema 2 began without it
    assert written["calibration"].pop("advice") == []  # nor did it state these
    assert written["golden"].pop("pixel_changes") == {}
    assert written["golden"].pop("answers") == {}
    assert written.pop("answers") is None  # nor did it answer anything beside the score
    assert written["input"].pop("network_channels") == "rgb"  # nor this
    assert written["input"].pop("pad") == [0, 0]  # nor that
    assert written["parity"].pop("floor") == dataclasses.asdict(FloorRecord())  # nor what was not measured
    assert written.pop("pixels") == {"grey": False, "bits": None, "encodings": [], "yuv": None}  # nor what was stated
    later = {"folds": 0, "weigh": "", "proven_rate": None}
    later |= dict.fromkeys(("new_drives_expected", "new_drives_low", "new_drives_high"))
    for point in written["operating_points"].values():
        assert {name: point.pop(name) for name in later} == later
    assert written == json.loads(text_with())
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.schema == SCHEMA
    assert manifest.input.std == (1.0, 1.0, 1.0)
    assert manifest.detector.pca_components is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.name = "other"  # type: ignore[misc]


@settings(max_examples=30, deadline=None)
@given(scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1).map(sorted))
def test_manifest_scores_keep_their_bits(scores: list[float]) -> None:
    document = json.loads(text_with("calibration.scores", scores))
    document["calibration"]["drives"] = {"noise": len(scores)}
    few = [score for score in scores if sum(other > score for other in scores) <= 0.5 * (len(scores) - 1) + 1e-9]
    document["operating_points"] = {"5%": document["operating_points"]["half"] | {"value": min(few)}}
    document["golden"]["tolerance"] = {"cpu": 0.0, "gpu": 0.0}
    manifest = Manifest.from_json(json.dumps(document))
    again = Manifest.from_json(manifest.to_json())
    assert [score.hex() for score in again.calibration.scores] == [score.hex() for score in scores]


def test_manifest_precision_written_and_read_is_equal() -> None:
    precision = {
        "kind": "int8",
        "float_layers": ["a.b"],
        "frames": 9,
        "flips": 0.1,
        "auroc_loss": -0.01,
        "pixel_changes": 0.2,
    }
    document = json.loads(text_with()) | {"precision": precision}
    assert json.loads(Manifest.from_json(json.dumps(document)).to_json())["precision"] == precision
    for wrong in ({"kind": "int4"}, {"kind": 8}, {"flips": "x"}, {"float_layers": [1]}):
        with pytest.raises(BundleError, match=f"precision.{next(iter(wrong))}"):
            Manifest.from_json(json.dumps(document | {"precision": precision | wrong}))


def test_manifest_unknown_fields_are_ignored() -> None:
    document = json.loads(text_with())
    document["later"] = document["input"]["later"] = {"any": "thing"}
    assert Manifest.from_json(json.dumps(document)) == Manifest.from_json(text_with())


@pytest.mark.parametrize("crop", [[0, 0, 6, 8], [1, 2, 3, 4]])
def test_manifest_crop_inside_the_frame_comes_back(crop: list[int]) -> None:
    assert Manifest.from_json(text_with("input.crop", crop)).input.crop == tuple(crop)


@pytest.mark.parametrize(
    "crop", [[0, 0, 7, 8], [1, 0, 6, 8], [-1, 0, 2, 2], [0, 0, 0, 8], [0, 0, 6], 3, [0, 0, 6, "8"]]
)
def test_manifest_crop_that_does_not_fit_is_refused(crop: object) -> None:
    with pytest.raises(BundleError, match=r"input\.crop.* to be .*, got .*: export it again"):
        Manifest.from_json(text_with("input.crop", crop))


@pytest.mark.parametrize("schema", [0, 1, 6, -1, True, "1", "2", None, [1], {"2": 3}])
def test_manifest_unknown_schema_is_refused_first(schema: Any) -> None:
    message = r"expected a manifest of schema 2, 3, 4 or 5, got .*install the version that wrote it"
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps({"schema": schema}))


@pytest.mark.parametrize(
    "path",
    ["name", "input", "input.std", "masks.seed", "operating_points.5%.value", "files", "detector.pca_components"],
)
def test_manifest_missing_field_is_named(path: str) -> None:
    with pytest.raises(BundleError, match=f"manifest's field {path}, it is missing"):
        Manifest.from_json(text_with(path))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", 3, "name to be str, got 3"),
        ("name", "two\nlines", "name to be one line of printable text"),
        ("input", [], "input to be an object"),
        ("input.network_channels", "gbr", "input.network_channels to be rgb or bgr"),
        ("input.pad", [0], "input.pad to be two sizes"),
        ("input.pad", [0, -1], "input.pad to be two sizes"),
        ("input.frame_height", 6.5, r"input\.frame_height to be int, got 6\.5"),
        ("input.frame_height", True, r"input\.frame_height to be int, got True"),
        ("input.frame_height", 0, "sizes of at least 1"),
        ("input.channels", "yuv", "rgb or bgr, got 'yuv'"),
        ("input.mean", 0.5, r"input\.mean to be a list"),
        ("input.mean", [0.5, "x", 0.5], r"input\.mean\[1\] to be float, got 'x'"),
        ("segmentation.kind", "boxes", "classes, logits or none"),
        ("segmentation.height", None, "segmentation to be sizes for classes"),
        ("masks.drop_prob", "half", r"masks\.drop_prob"),
        ("detector.pca_components", "many", r"detector\.pca_components to be int or NoneType"),
        ("operating_points.5%.value", 10**400, r"operating_points\.5%\.value to be a finite number"),
        ("operating_points.5%.false_alarm_rate", 1.0, "rates between 0 and 1"),
        ("operating_points.5%.guarantee", "weather", "frames or drives"),
        ("operating_point", "10%", "one of 5%, half, got '10%'"),
        ("operating_points", {}, "operating_point to be one of"),
        ("detector.parameters", [], r"detector\.parameters to be an object"),
        ("calibration.scores", [], "one or more ascending scores"),
        ("calibration.scores", [2.0, 1.0], r"ascending scores, got \(2\.0, 1\.0\)"),
        ("golden.tolerance", {"cpu": 1}, "cpu and gpu"),
        ("features", {}, r"features to be one or more features by name, got \(\)"),
        ("features", ["latent_samples"], "features to be an object"),
        ("features", {"": [3]}, "one or more features by name"),
        ("features", {"segmentation": [3]}, r"one or more features by name, got \('segmentation',\)"),
        ("features", {"entropy": [3]}, "one or more features by name"),
        ("features", {"frame": [3]}, "one or more features by name"),
        ("features", {"score": [3]}, "one or more features by name"),
        ("features", {"parts": [3]}, "one or more features by name"),
        ("features", {"class_share": []}, "shapes with sizes of at least 1"),
        ("features", {"class_share": [0]}, "shapes with sizes of at least 1"),
        ("features", {"class_share": [3, -1]}, "shapes with sizes of at least 1"),
        ("features", {"class_share": [2.5]}, r"features\.class_share\[0\] to be int"),
        ("features", {"class_share": 3}, r"features\.class_share to be a list"),
        ("features.latent_samples", [5, 3], r"latent_samples to be \(4, 3\), by masks\.count and tap\.channels"),
        ("features.latent_samples", [4], r"latent_samples to be \(4, 3\)"),
        ("detector.parts", {}, r"detector\.parts to be a list"),
        ("detector.parts", [{}], r"detector\.parts\[0\]\.name, it is missing"),
        ("files", {"a\nb": {}}, "printable"),
        ("files", {"a": {"sha256": "x"}}, r"files\.a\.bytes, it is missing"),
    ],
)
def test_manifest_wrong_value_is_named_in_one_line(path: str, value: Any, message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        Manifest.from_json(text_with(path, value))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


PART = {"name": "a", "features": ["entropy"], "kind": "kde", "centre": -0.5, "scale": 2.0, "weight": 0.25}


def test_manifest_features_and_parts_written_and_read_are_equal() -> None:
    document = json.loads(text_with())
    document["features"]["moments/backbone.layer2"] = [256]
    other = PART | {"name": "b", "features": ["entropy", "moments/backbone.layer2"], "kind": "vim"}
    document["detector"]["parts"] = [PART, other]
    manifest = Manifest.from_json(json.dumps(document))
    assert manifest.features == {"latent_samples": (4, 3), "moments/backbone.layer2": (256,)}
    assert list(manifest.features) == ["latent_samples", "moments/backbone.layer2"], "in the order of the graph"
    assert [part.name for part in manifest.detector.parts] == ["a", "b"]
    assert manifest.detector.parts[1].features == ("entropy", "moments/backbone.layer2")
    written = json.loads(manifest.to_json())
    assert written["features"] == document["features"]
    assert written["detector"] == document["detector"]
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_manifest_without_parts_has_a_detector_of_one() -> None:
    assert Manifest.from_json(text_with("detector.parts")).detector.parts == ()


def test_manifest_without_features_is_refused() -> None:
    with pytest.raises(BundleError, match="manifest's field features, it is missing"):
        Manifest.from_json(text_with("features"))


def test_manifest_feature_named_as_a_noise_input_is_refused() -> None:
    document = json.loads(text_with())
    document["masks"] |= {"mode": "input", "sha256": None, "noise": [[4], [5]]}
    assert Manifest.from_json(json.dumps(document)).masks.noise == ((4,), (5,))
    document["features"]["noise_1"] = [3]
    with pytest.raises(BundleError, match="one or more features by name"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([PART, PART], r"detector\.parts to be parts with names of their own, got \['a', 'a'\]"),
        ([PART | {"name": ""}], "parts with names of their own"),
        ([PART | {"name": "a\nb"}], "one line of printable text"),
        ([PART, PART | {"name": "b", "features": []}], r"parts\[1\]\.features to be features among entropy, got \(\)"),
        ([PART | {"features": ["moments/x"]}], r"features among entropy, got \('moments/x',\)"),
        ([PART | {"features": ["latent_samples"]}], "features among entropy"),
        ([PART | {"features": "entropy"}], r"parts\[0\]\.features to be a list"),
        ([PART | {"scale": 0}], r"parts\[0\]\.scale to be above 0"),
        ([PART | {"scale": -1.0}], r"parts\[0\]\.scale to be above 0"),
        ([PART | {"centre": 10**400}], r"parts\[0\]\.centre to be a finite number"),
        ([PART | {"weight": None}], r"parts\[0\]\.weight to be float, got None"),
        ([PART | {"weight": -0.5}], r"parts\[0\]\.weight to be 0 or more, got -0\.5"),
        ([PART | {"weight": "1"}], r"parts\[0\]\.weight to be float"),
    ],
)
def test_manifest_part_with_a_wrong_value_is_named_in_one_line(parts: Any, message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        Manifest.from_json(text_with("detector.parts", parts))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("field", ["centre", "scale", "weight"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_manifest_part_with_a_number_not_finite_is_refused(field: str, value: str) -> None:
    text = text_with("detector.parts", [PART | {field: 1234.5}])
    with pytest.raises(BundleError, match=r"no number|finite"):
        Manifest.from_json(text.replace("1234.5", value))


def schema_2_text(**fields: Any) -> str:
    """The toy manifest as schema 2 had it."""
    document = json.loads(text_with()) | {"schema": 2}
    del document["features"], document["detector"]["parts"]
    return json.dumps(document | fields)


def test_manifest_of_schema_2_has_the_latent_samples_as_its_only_feature() -> None:
    manifest = Manifest.from_json(schema_2_text())
    assert manifest.schema == 2
    assert manifest.features == {"latent_samples": (4, 3)}
    assert manifest.detector.parts == ()
    assert dataclasses.replace(manifest, schema=SCHEMA) == Manifest.from_json(text_with())
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_manifest_of_schema_2_with_names_of_schema_3_is_read_as_schema_2() -> None:
    """An old reader ignores names that it does not know, and so must this one."""
    assert Manifest.from_json(schema_2_text(features={"class_share": [3]})) == Manifest.from_json(schema_2_text())
    document = json.loads(schema_2_text())
    document["detector"]["parts"] = [PART]
    assert Manifest.from_json(json.dumps(document)) == Manifest.from_json(schema_2_text())


@pytest.mark.parametrize("section", ["masks", "tap"])
def test_manifest_of_schema_2_without_samples_is_refused(section: str) -> None:
    document = json.loads(schema_2_text())
    document[section] |= {"masks": {"count": 0}, "tap": {"channels": 0}}[section]
    with pytest.raises(BundleError, match="shapes with sizes of at least 1"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 5000, '{"schema": 1' + "0" * 5000 + "}", b"\xff"])
def test_manifest_not_a_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(BundleError, match="manifest"):
        Manifest.from_json(text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_manifest_number_not_finite_is_refused_in_reading(value: str) -> None:
    with pytest.raises(BundleError, match=r"no number|finite"):
        Manifest.from_json(text_with("operating_points.5%.value", 1234.5).replace("1234.5", value))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_manifest_number_not_finite_is_refused_in_writing(value: float) -> None:
    manifest = Manifest.from_json(text_with())
    broken = dataclasses.replace(
        manifest, operating_points={"5%": dataclasses.replace(manifest.threshold, value=value)}
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.to_json()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_manifest_any_value_anywhere_parses_or_is_a_bundle_error(data: st.DataObject) -> None:
    document = json.loads(text_with())
    path = data.draw(
        st.sampled_from([(k,) for k in document] + [(k, i) for k, v in document.items() if type(v) is dict for i in v])
    )
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    value = data.draw(
        st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
    )
    inner = document if len(path) == 1 else document[path[0]]
    inner[path[-1]] = value
    try:
        manifest = Manifest.from_json(json.dumps(document))
    except BundleError:
        return  # what it says is the subject of the tests above; any other exception fails this one
    assert Manifest.from_json(manifest.to_json()) == manifest
