# SPDX-License-Identifier: Apache-2.0
"""A node that cannot watch does not start, and says why in one line; its parameters and their ranges."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lsood_runtime.conftest import write_toy_bundle
from tests.ros2.playing import PACKAGES, Player


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "monitor"
    folder.mkdir()
    return write_toy_bundle(folder)


def test_damaged_bundle_is_one_line_and_no_node(player: Player, toy: Path) -> None:
    (toy / "detector.onnx").write_bytes(b"no graph")
    assert "detector.onnx" in player.refuse(bundle=toy)
    (toy / "manifest.json").unlink()
    assert "manifest.json" in player.refuse(bundle=toy)
    missing = player.refuse(bundle=toy / "none")
    assert missing.startswith("lsood_ros: error: expected a bundle folder")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no bundle": ({"bundle": '""'}, "expected the folder of a bundle in the parameter bundle, got none"),
    "another digest": ({"expected_sha256": "ab" * 32}, "this is another bundle"),
    "no such operating point": ({"operating_point": "9%"}, "expected an operating point of the bundle"),
    "a provider that is not there": ({"provider": "cuda"}, "CUDAExecutionProvider cannot load"),
    "an option without a value": ({"provider_options": ["x"]}, "expected provider_options as name=value, got 'x'"),
    "no rule": ({"alarm": "often"}, "3of5, hysteresis:0.01:0.2"),
    "a rule of the quality without one": ({"quality_alarm": "3of5"}, "expected a bundle that tells the quality"),
    "a smallest quality without one": ({"min_quality": 0.5}, "expected a bundle that tells the quality"),
    "no graph of that form": ({"fused": True}, "monitor.onnx"),
    "no cameras": ({"cameras": ['""']}, "expected names in the parameter cameras, got none"),
    "a name that no topic has": ({"cameras": ["front-left"]}, "letters, digits and underscores, got 'front-left'"),
    "a name that begins with a digit": ({"cameras": ["2nd"]}, "letters, digits and underscores, got '2nd'"),
    "a camera twice": ({"cameras": ["a", "b", "a"]}, "expected cameras of different names, got 'a' twice"),
    "too few topics": (
        {"cameras": ["a", "b"], "image_topics": ["/x"]},
        "expected one of image_topics for each of 2 cameras, got 1",
    ),
    "a topic left out": (
        {"cameras": ["a", "b"], "image_topics": ["/x", ""]},
        "expected a topic for the camera 'b', got none",
    ),
    "a number that is none": ({"max_age_s": ".nan"}, "expected a max_age_s above 0"),
    "a deadline that is none": ({"deadline_ms": ".nan"}, "expected a deadline above 0 ms, got nan"),
    "a whole number for a fraction": ({"deadline_ms": 5}, "parameter 'deadline_ms' has invalid type"),
    "too many threads": ({"threads": 1025}, "Parameter {threads} doesn't comply with integer range"),
    "a negative deadline": ({"deadline_ms": -1.0}, "Parameter {deadline_ms} doesn't comply with floating point range"),
    "a quality above one": ({"min_quality": 1.5}, "Parameter {min_quality} doesn't comply"),
    "an age of nothing": ({"max_age_s": 0.0}, "Parameter {max_age_s} doesn't comply"),
}


@pytest.mark.parametrize(("parameters", "words"), REFUSED.values(), ids=REFUSED)
def test_parameters_that_cannot_be_are_one_line_and_no_node(
    player: Player, toy: Path, parameters: dict[str, Any], words: str
) -> None:
    line = player.refuse(**({"bundle": toy} | parameters))
    assert line.startswith("lsood_ros: error: ")
    assert words in line


def test_parameter_file_has_every_parameter_with_its_default(player: Player, toy: Path) -> None:
    published, _ = player.run(["describe"], bundle=toy)
    declared = published[-1]["parameters"]
    found = {each["descriptor"]["name"]: _default(each["default"]) for each in declared}
    text = (PACKAGES / "lsood_ros" / "config" / "monitor.yaml").read_text(encoding="utf-8")
    written = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert found == written
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in written.items()
    }


def test_parameters_are_read_only_and_numbers_have_a_range(player: Player, toy: Path) -> None:
    published, _ = player.run(["describe"], bundle=toy)
    for each in published[-1]["parameters"]:
        descriptor, default = each["descriptor"], _default(each["default"])
        assert descriptor["read_only"]
        assert descriptor["description"]
        ranges = [*descriptor["floating_point_range"], *descriptor["integer_range"]]
        is_number = isinstance(default, int | float) and not isinstance(default, bool)
        assert len(ranges) == is_number, descriptor["name"]
        for one in ranges:
            low, high = (_default(one[name]) for name in ("from_value", "to_value"))
            assert low <= default <= high


def test_error_while_the_node_runs_is_one_line_too(player: Player, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert player.start(bundle=toy).returncode == 0
    monkeypatch.setenv("ROS_STAND_IN_SPIN_THROWS", "context cannot be slept with because it's invalid")
    done = player.start(bundle=toy)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "lsood_ros: error: context cannot be slept with because it's invalid"


def test_silence_is_looked_for_twice_in_its_time(player: Player, toy: Path) -> None:
    published, _ = player.run(["describe"], bundle=toy, max_age_s=0.5)
    assert [float.fromhex(each) for each in published[-1]["timers"]] == [0.25]


def test_node_subscribes_by_the_quality_of_service_of_sensors(player: Player, toy: Path) -> None:
    parameters = {"cameras": ["front", "rear"], "image_topics": ["/sensing/front", "rear/image"]}
    published, _ = player.run(["describe"], bundle=toy, image_transport="compressed", **parameters)
    qos = "last 1, best effort"
    expected = {"/rear/image": ["compressed", qos], "/sensing/front": ["compressed", qos]}
    assert published[-1]["subscriptions"] == expected


def _default(value: Any) -> Any:
    """A default as the stand-in prints it: numbers with fractions are texts in hexadecimal."""
    return float.fromhex(value) if isinstance(value, str) and value.startswith("0x") else value
