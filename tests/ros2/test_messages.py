# SPDX-License-Identifier: Apache-2.0
"""The .msg files: another parser reads the same in them, their types exist, and their constants are the runtime's."""

import re
from typing import Any

import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from lsood_runtime import History, State
from tests.ros2.playing import MESSAGE_FILES, MESSAGES, PACKAGES
from tests.ros2.stand_in.generate_messages import PLAIN, header_name, header_text, parse_message

OWN = sorted(name for name in MESSAGES if name.startswith("lsood_msgs/"))
OTHERS = sorted(set(MESSAGES) - set(OWN))


def by_rosbags(name: str, text: str) -> tuple[list[Any], list[Any]]:
    """Constants and fields as the package rosbags reads them."""
    package, _, kind = name.partition("/")
    found = get_types_from_msg(text, f"{package}/msg/{kind}")
    constants, fields = found[f"{package}/msg/{kind}"]
    return list(constants), [(each, _type_text(kind_of)) for each, kind_of in fields]


def _type_text(kind: Any) -> str:
    """A type of rosbags as a .msg file has it, bounds of lists left out."""
    node, value = kind
    if node.name == "BASE":
        return str(value[0])
    if node.name == "NAME":
        return str(value).replace("/msg/", "/")
    inner, size = value
    return f"{_type_text(inner)}[{size if node.name == 'ARRAY' else ''}]"


def by_ours(name: str) -> tuple[list[Any], list[Any]]:
    message = MESSAGES[name]
    fields = [(each.name, each.type + re.sub(r"<=\d+", "", each.array)) for each in message.fields]
    return [(each.name, each.type, _value(each.type, each.value)) for each in message.constants], fields


def _value(kind: str, text: str) -> object:
    return text.strip('"') if kind == "string" else int(text)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_message_file_is_read_as_by_another_parser(name: str) -> None:
    assert by_ours(name) == by_rosbags(name, MESSAGE_FILES[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("store", [Stores.ROS2_HUMBLE, Stores.ROS2_JAZZY])
def test_messages_that_stand_in_for_those_of_ros_have_their_fields(store: Stores) -> None:
    """Those of vision_msgs are in no store of rosbags."""
    known = get_typestore(store).fielddefs
    compared = 0
    for name in OTHERS:
        definition = known.get(name.replace("/", "/msg/"))
        if definition is not None:
            constants, fields = definition
            assert by_ours(name) == (list(constants), [(each, _type_text(kind)) for each, kind in fields])
            compared += 1
    assert compared == len([name for name in OTHERS if not name.startswith("vision_msgs/")])


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_types_of_fields_exist(name: str) -> None:
    assert {each.type for each in MESSAGES[name].fields} <= PLAIN.keys() | MESSAGES.keys()


@pytest.mark.parametrize("name", OWN)
def test_every_field_is_explained(name: str) -> None:
    """A comment stands above a field, or above the lines of fields before it."""
    blocks = MESSAGE_FILES[name].read_text(encoding="utf-8").strip().split("\n\n")
    answers = {
        "ExpectedQuality",
        "Cause",
        "AbnormalTiles",
        "UnknownObjects",
        "FaultyTiles",
    }  # explained in their own files
    for block in blocks:
        first = block.splitlines()[0]
        assert first.startswith("#") or first.split()[0] in answers, block


def test_states_and_histories_are_those_of_the_runtime() -> None:
    constants = {each.name: int(each.value) for each in MESSAGES["lsood_msgs/Assessment"].constants}
    states = {f"STATE_{state.name}": state.gravity for state in State}
    histories = {f"HISTORY_{history.name}": place for place, history in enumerate(History)}
    assert constants == states | histories


def test_build_file_lists_every_message() -> None:
    text = (PACKAGES / "lsood_msgs" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert [f"lsood_msgs/{name}" for name in re.findall(r"msg/(\w+)\.msg", text)] == OWN


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Detection2DArray", "detection2_d_array"),
        ("Pose2D", "pose2_d"),
        ("UnknownObjects", "unknown_objects"),
        ("Time", "time"),
    ],
)
def test_headers_are_named_as_rosidl_names_them(name: str, header: str) -> None:
    assert header_name(name) == header


@pytest.mark.parametrize("line", ["uint8 Bad", "uint8 two__lines", "uint8 ends_", "uint8", "float64[ x", "uint8 low=3"])
def test_line_that_no_message_has_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="expected a constant or a field"):
        parse_message("p", "M", line)


def test_header_has_constants_defaults_and_lists() -> None:
    text = header_text(
        parse_message("p", "M", 'string A="x y"\nint8 B=-1\nfloat64 w 1\nOther[] list\nuint8[4] four # note')
    )
    for line in (
        'inline static const std::string A = "x y";',
        "static constexpr std::int8_t B = -1;",
        "double w{1};",
        "std::vector<p::msg::Other> list{};",
        "std::array<std::uint8_t, 4> four{};",
        '#include "p/msg/other.hpp"',
    ):
        assert line in text
