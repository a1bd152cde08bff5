# SPDX-License-Identifier: Apache-2.0
"""Manifests, build files, launch file and pages of the ROS 2 packages agree with the code and with each other."""

import ast
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lsood_runtime import __version__
from tests.cpp.building import ONNXRUNTIME_ROOT, require_tools
from tests.documentation.pages import Page
from tests.paths import ROOT
from tests.ros2.playing import MESSAGES, PACKAGES

NAMES = ("lsood_msgs", "lsood_ros")
PAGE = Page("docs/how-to/ros2.md")
REQUIRED = ["name", "version", "description", "maintainer", "license"]
"""Tags that REP 149 asks for, in its order."""
DEPENDENCIES = {"buildtool_depend", "build_depend", "exec_depend", "depend", "test_depend"}


def package_xml(name: str) -> ET.Element:
    return ET.parse(PACKAGES / name / "package.xml").getroot()


def declared(name: str, *tags: str) -> set[str]:
    return {each.text or "" for tag in tags for each in package_xml(name).findall(tag)}


def found_packages(name: str) -> set[str]:
    """What the build file looks for."""
    text = (PACKAGES / name / "CMakeLists.txt").read_text(encoding="utf-8")
    return set(re.findall(r"find_package\((\w+)", text))


@pytest.mark.parametrize("name", NAMES)
def test_manifest_is_of_format_3_and_has_what_it_must_have(name: str) -> None:
    root = package_xml(name)
    assert (root.tag, root.get("format")) == ("package", "3")
    assert [child.tag for child in root][: len(REQUIRED)] == REQUIRED
    assert {child.tag for child in root} <= {*REQUIRED, *DEPENDENCIES, "member_of_group", "export"}
    assert root.findtext("name") == name == (PACKAGES / name).name
    assert root.findtext("version") == __version__
    assert root.findtext("license") == "Apache-2.0"
    assert re.fullmatch(r"\S+@\S+", root.find("maintainer").get("email", ""))  # type: ignore[union-attr]
    assert root.findtext("export/build_type") == "ament_cmake"
    assert f"project({name} " in (PACKAGES / name / "CMakeLists.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_manifest_declares_what_the_build_file_looks_for_and_no_more(name: str) -> None:
    assert declared(name, "buildtool_depend", "build_depend", "depend") == found_packages(name)
    dependencies = [each.text for each in package_xml(name) if each.tag in DEPENDENCIES]
    assert len(dependencies) == len(set(dependencies))


def test_messages_declare_the_packages_of_their_fields() -> None:
    used = {
        each.type.partition("/")[0]
        for name, message in MESSAGES.items()
        if "lsood_msgs" in name
        for each in message.fields
    }
    used = {package for package in used if f"{package}/" in " ".join(MESSAGES)} - {"lsood_msgs"}
    assert declared("lsood_msgs", "depend") == used
    assert declared("lsood_msgs", "member_of_group") == {"rosidl_interface_packages"}
    assert declared("lsood_msgs", "buildtool_depend") == {"ament_cmake", "rosidl_default_generators"}
    assert declared("lsood_msgs", "exec_depend") == {"rosidl_default_runtime"}


def test_node_declares_the_packages_that_its_sources_include_or_name() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((PACKAGES / "lsood_ros" / "src").iterdir()))
    included = set(re.findall(r'#include "(\w+)/', sources)) | {"rcl_interfaces"} & set(
        re.findall(r"(\w+)::msg", sources)
    )
    assert declared("lsood_ros", "depend") == included


def test_launch_file_declares_what_it_imports() -> None:
    tree = ast.parse((PACKAGES / "lsood_ros" / "launch" / "monitor.launch.py").read_text(encoding="utf-8"))
    modules = {
        node.module.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert declared("lsood_ros", "exec_depend") == modules - {"pathlib"}


def test_launch_file_names_the_executable_the_parameters_and_files_that_there_are() -> None:
    tree = ast.parse((PACKAGES / "lsood_ros" / "launch" / "monitor.launch.py").read_text(encoding="utf-8"))
    calls = {
        node.func.id: node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    node = {word.arg: word.value for word in calls["Node"].keywords}
    values = {name: str(value.value) for name, value in node.items() if isinstance(value, ast.Constant)}
    build_file = (PACKAGES / "lsood_ros" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert values["package"] == "lsood_ros"
    assert f"add_executable({values['executable']} " in build_file
    dicts = [each for each in ast.walk(node["parameters"]) if isinstance(each, ast.Dict)]
    given = [ast.literal_eval(key) for each in dicts for key in each.keys if key]
    assert given == ["bundle"]
    assert set(given) <= parameters().keys()
    text = ast.unparse(tree)
    arguments, used = (
        set(re.findall(rf"{name}\('(\w+)'", text)) for name in ("DeclareLaunchArgument", "LaunchConfiguration")
    )
    assert arguments == used
    assert (PACKAGES / "lsood_ros" / "config" / "monitor.yaml").is_file()


class LaunchPart:
    """Stands in for any part of launch and launch_ros: the arguments that it was made with."""

    def __init__(self, *places: Any, **words: Any) -> None:
        self.places, self.words = places, words

    def perform(self, context: dict[str, str]) -> str:
        return context[self.places[0]]


@pytest.mark.parametrize(
    ("given", "respawn", "ends"),
    [
        ({}, False, False),
        ({"on_exit_shutdown": "true"}, False, True),
        ({"respawn": "true"}, True, False),
        ({"on_exit_shutdown": "true", "respawn": "true"}, True, False),
    ],
    ids=["by default", "with on_exit_shutdown", "with respawn", "with both"],
)
def test_launch_ends_what_includes_it_where_it_is_told_to_alone(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], respawn: bool, ends: bool
) -> None:
    names = ("LaunchContext", "LaunchDescription", "DeclareLaunchArgument", "OpaqueFunction", "Shutdown", "Node")
    parts: dict[str, type[LaunchPart]] = {
        name: type(name, (LaunchPart,), {}) for name in (*names, "LaunchConfiguration", "ParameterValue")
    }
    folders = {"get_package_share_directory": lambda name: PACKAGES / name}
    file = PACKAGES / "lsood_ros" / "launch" / "monitor.launch.py"
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module != "pathlib":
            monkeypatch.setitem(sys.modules, str(node.module), SimpleNamespace(**parts, **folders))
    (entries,) = runpy.run_path(str(file))["generate_launch_description"]().places
    declared = [each for each in entries if isinstance(each, parts["DeclareLaunchArgument"])]
    flags = {each.places[0]: each.words["default_value"] for each in declared if "choices" in each.words}
    assert flags == {"respawn": "false", "on_exit_shutdown": "false"}
    assert all(each.words["choices"] == ["true", "false"] for each in declared if "choices" in each.words)
    (function,) = [each.words["function"] for each in entries if isinstance(each, parts["OpaqueFunction"])]
    (node_made,) = function(flags | given)
    assert node_made.words["respawn"] is respawn
    assert isinstance(node_made.words["on_exit"], parts["Shutdown"]) is ends
    assert all(f"`{name}:=true`" in PAGE.text for name in flags)


def test_library_has_a_name_of_its_own_and_every_package_is_one_that_humble_links() -> None:
    """diagnostic_updater has no target in every release; all packages install their libraries into one folder."""
    text = (PACKAGES / "lsood_ros" / "CMakeLists.txt").read_text(encoding="utf-8")
    (library,) = re.findall(r"add_library\((\w+) SHARED", text)
    assert library == "lsood_ros_monitor"
    assert f"ament_target_dependencies({library} PUBLIC diagnostic_updater)" in text
    assert "diagnostic_updater::" not in text


def parameters() -> dict[str, object]:
    """Of the parameter file, which has every one that the node declares; another test holds it against the node."""
    text = (PACKAGES / "lsood_ros" / "config" / "monitor.yaml").read_text(encoding="utf-8")
    values: dict[str, object] = yaml.safe_load(text)["/**"]["ros__parameters"]
    return values


def test_page_says_that_the_digest_may_be_left_out() -> None:
    (row,) = [line for line in PAGE.text.splitlines() if line.startswith("| `expected_sha256` |")]
    assert "empty for any" in row


def test_page_lists_every_parameter_and_topic() -> None:
    for name in parameters():
        assert f"`{name}`" in PAGE.text, name
    sources = (PACKAGES / "lsood_ros" / "src" / "monitor_node.cpp").read_text(encoding="utf-8")
    topics = re.findall(r'topics \+ "(\w+)"', sources)
    assert len(topics) == 4
    assert {f"~/NAME/{topic}" for topic in topics} | {"~/bundle", "/diagnostics"} <= set(PAGE.code_spans)


@pytest.mark.parametrize(
    "path", [PAGE.file, PACKAGES / "README.md", *(PACKAGES / name / "README.md" for name in NAMES)], ids=str
)
def test_page_says_that_it_never_ran_on_ros(path: Path) -> None:
    assert "never run on a real ROS 2 installation" in " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", NAMES)
def test_quality_declaration_states_a_level_and_every_section_of_rep_2004(name: str) -> None:
    text = (PACKAGES / name / "QUALITY_DECLARATION.md").read_text(encoding="utf-8")
    assert "**Quality Level 5**" in text
    assert re.findall(r"^## (\d\. .+)$", text, re.MULTILINE) == [
        "1. Version policy",
        "2. Change control process",
        "3. Documentation",
        "4. Testing",
        "5. Dependencies",
        "6. Platform support",
        "7. Security",
    ]


def two_commands() -> list[str]:
    (commands,) = [
        block.commands for block in PAGE.blocks if any("tests/ros2/stand_in" in each for each in block.commands)
    ]
    return commands


def test_page_builds_the_stand_in_with_two_commands() -> None:
    configure, build = two_commands()
    assert configure.startswith("cmake -S tests/ros2/stand_in -B build -DONNXRUNTIME_ROOT=")
    assert build == "cmake --build build --parallel 2"


@pytest.mark.slow
def test_two_commands_of_the_page_build_library_and_node(tmp_path: Path) -> None:
    require_tools()
    for command in two_commands():
        words = (
            re.sub(r"\$\(.*\)", str(ONNXRUNTIME_ROOT), command).replace(" build ", f" {tmp_path / 'build'} ").split()
        )
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "lsood_ros" / "monitor_node").is_file()
