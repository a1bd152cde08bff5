# SPDX-License-Identifier: Apache-2.0
"""Write C++ headers for messages, as rosidl does in ROS 2, out of their .msg files.

    python generate_messages.py OUT PACKAGE=FOLDER ...

Each file FOLDER/NAME.msg becomes OUT/PACKAGE/msg/NAME_IN_LOWER_CASE.hpp with the struct PACKAGE::msg::NAME. Beside what
rosidl writes there is a function ``each_field``, by which the stand-in prints a message.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

PLAIN = {
    "bool": "bool",
    "byte": "unsigned char",
    "char": "unsigned char",
    "float32": "float",
    "float64": "double",
    "string": "std::string",
    **{f"{sign}int{bits}": f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""C++ types of the types that are no messages."""

_NAME = r"[a-z](?:_?[a-z0-9])*"
_TYPE = r"(?P<type>[A-Za-z][\w/]*)(?P<array>\[(?:<=)?\d*\])?"
_CONSTANT = re.compile(rf"{_TYPE} +(?P<name>[A-Z](?:_?[A-Z0-9])*) *= *(?P<value>.+)")
_FIELD = re.compile(rf"{_TYPE} +(?P<name>{_NAME})(?: +(?P<value>.+))?")


@dataclass(frozen=True)
class Constant:
    """A constant: its type, its name, and its value as it is written."""

    type: str
    name: str
    value: str


@dataclass(frozen=True)
class Field:
    """A field: its type, ``PACKAGE/NAME`` for a message; how it is repeated, as it is written; its default, or none."""

    type: str
    name: str
    array: str = ""
    default: str = ""


@dataclass
class Message:
    """A message of a package, with its constants and fields in the order in which they stand."""

    package: str
    name: str
    constants: list[Constant] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)


def parse_message(package: str, name: str, text: str) -> Message:
    """Parse the text of a .msg file.

    Raises:
        ValueError: a line is neither a constant nor a field.
    """
    message = Message(package, name)
    for line in text.splitlines():
        words = line.partition("#")[0].strip()
        if not words:
            continue
        if found := _CONSTANT.fullmatch(words):
            message.constants.append(Constant(found["type"], found["name"], found["value"]))
        elif found := _FIELD.fullmatch(words):
            kind = found["type"] if found["type"] in PLAIN or "/" in found["type"] else f"{package}/{found['type']}"
            message.fields.append(Field(kind, found["name"], found["array"] or "", found["value"] or ""))
        else:
            raise ValueError(f"{package}/{name}: expected a constant or a field, got {line!r}")
    return message


def header_name(name: str) -> str:
    """Name of a message's header without its ending: Detection2DArray is in detection2_d_array.hpp."""
    apart = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", apart).lower()


def header_text(message: Message) -> str:
    """The header of a message."""
    names = dict.fromkeys(each.type for each in message.fields if "/" in each.type)
    includes = [f'#include "{kind.partition("/")[0]}/msg/{header_name(kind.partition("/")[2])}.hpp"' for kind in names]
    pointers = {
        "SharedPtr": "shared_ptr<{0}>",
        "ConstSharedPtr": "shared_ptr<const {0}>",
        "UniquePtr": "unique_ptr<{0}>",
    }
    lines = [
        "#pragma once",
        f"// A stand-in, written from {message.package}/msg/{message.name}.msg.",
        *(f"#include <{each}>" for each in ("array", "cstdint", "memory", "string", "vector")),
        *includes,
        f"namespace {message.package}::msg {{",
        f"struct {message.name} {{",
        *(f"  using {name} = std::{kind.format(message.name)};" for name, kind in pointers.items()),
        *(f"  {_constant(each)}" for each in message.constants),
        *(f"  {_cpp_type(each)} {each.name}{{{each.default}}};" for each in message.fields),
        "};",
        f"template <typename Visit> void each_field(const {message.name}& message, Visit&& visit) {{",
        *(f'  visit("{each.name}", message.{each.name});' for each in message.fields),
        "}",
        f'inline const char* type_name(const {message.name}&) {{ return "{message.package}/msg/{message.name}"; }}',
        f"}}  // namespace {message.package}::msg",
    ]
    return "\n".join(lines) + "\n"


def _constant(constant: Constant) -> str:
    if constant.type == "string":
        return f"inline static const std::string {constant.name} = {constant.value};"
    return f"static constexpr {PLAIN[constant.type]} {constant.name} = {constant.value};"


def _cpp_type(each: Field) -> str:
    kind = PLAIN.get(each.type) or "::".join([each.type.partition("/")[0], "msg", each.type.partition("/")[2]])
    size = each.array.strip("[]")
    if not each.array:
        return kind
    return f"std::array<{kind}, {size}>" if size.isdigit() else f"std::vector<{kind}>"


def write_headers(out: Path, package: str, folder: Path) -> None:
    """Write the headers of a package's messages; one that is there and the same is left as it is."""
    for path in sorted(folder.glob("*.msg")):
        text = header_text(parse_message(package, path.stem, path.read_text(encoding="utf-8")))
        header = out / package / "msg" / f"{header_name(path.stem)}.hpp"
        header.parent.mkdir(parents=True, exist_ok=True)
        if not header.is_file() or header.read_text(encoding="utf-8") != text:
            header.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for word in sys.argv[2:]:
        given_package, _, given_folder = word.partition("=")
        write_headers(Path(sys.argv[1]), given_package, Path(given_folder))
