# SPDX-License-Identifier: Apache-2.0
"""Play images to the node over the stand-ins, and read the messages that it publishes."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.paths import ROOT
from tests.ros2.stand_in.generate_messages import Message, parse_message

STAND_IN = ROOT / "tests" / "ros2" / "stand_in"
PACKAGES = ROOT / "ros2"
MESSAGE_FILES = {
    f"{path.parent.parent.name if path.parent.name == 'msg' else path.parent.name}/{path.stem}": path
    for folder in (PACKAGES / "lsood_msgs" / "msg", *(STAND_IN / "msg").iterdir())
    for path in sorted(folder.glob("*.msg"))
}
MESSAGES: dict[str, Message] = {
    name: parse_message(name.partition("/")[0], path.stem, path.read_text(encoding="utf-8"))
    for name, path in MESSAGE_FILES.items()
}


@dataclass(frozen=True)
class Published:
    """A message by its topic, its type (``PACKAGE/NAME``) and the quality of service of its publisher."""

    topic: str
    type: str
    qos: str
    message: dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """An image to hand over; by default it is rows of pixels without padding."""

    pixels: NDArray[np.uint8]
    stamp_ns: int
    camera: str = "camera"
    encoding: str = "rgb8"
    padding: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    cut: int = 0

    def command(self, path: Path) -> str:
        """Write the bytes to ``path``, and give the line that hands them over."""
        height, width = self.pixels.shape[:2]
        rows = np.pad(
            np.ascontiguousarray(self.pixels).reshape(height, -1), ((0, 0), (0, self.padding)), constant_values=7
        )
        path.write_bytes(rows.tobytes()[: rows.size - self.cut])
        fields = {"height": height, "width": width, "step": rows.shape[1], "is_bigendian": 0} | self.fields
        sec, nanosec = divmod(self.stamp_ns, 1_000_000_000)
        size = " ".join(str(fields[name]) for name in ("height", "width", "step", "is_bigendian"))
        return f"image /{self.camera}/image_raw {sec} {nanosec} {self.camera}_optical {self.encoding} {size} {path}"


class Player:
    """Starts nodes of a build.

    Args:
        build: the folder of the build.
        folder: for images.
    """

    def __init__(self, build: Path, folder: Path) -> None:
        self._build, self._folder = build, folder

    def run(
        self, commands: Sequence[str | Shot], *, options: Sequence[str] = (), **parameters: Any
    ) -> tuple[list[Any], str]:
        """Start a node with parameters and play commands to it.

        Returns:
            Its :class:`Published` messages, with what other commands print between them; and its log.
        """
        lines = [
            each if isinstance(each, str) else each.command(self._folder / f"{i}.raw")
            for i, each in enumerate(commands)
        ]
        words = [str(self._build / "node_play"), *options, *parameter_words({"threads": 1} | parameters)]
        done = subprocess.run(words, input="\n".join(lines), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [_read(line) for line in done.stdout.splitlines()], done.stderr

    def assessments(self, shots: Sequence[Shot], **parameters: Any) -> list[dict[str, Any]]:
        """The assessments of shots that are handed over one by one."""
        commands: list[str | Shot] = []
        for i, shot in enumerate(shots):
            commands += [shot, f"wait {i + 1}"]
        published, _ = self.run(commands, **parameters)
        return [each.message for each in published if each.type == "lsood_msgs/Assessment"]

    def refuse(self, **parameters: Any) -> str:
        """The one line in which the node of a process of its own says why it cannot start."""
        done = self.start(**parameters)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        (line,) = done.stderr.splitlines()
        return line

    def start(self, **parameters: Any) -> subprocess.CompletedProcess[str]:
        """Start the node in a process of its own, which ends at once: nothing arrives."""
        words = [str(self._build / "lsood_ros" / "monitor_node"), *parameter_words(parameters)]
        return subprocess.run(words, capture_output=True, text=True, check=False)


def parameter_words(parameters: dict[str, object]) -> list[str]:
    """Arguments of a node for parameters."""
    return ["--ros-args", *(word for name, value in parameters.items() for word in ("-p", f"{name}:={_yaml(value)}"))]


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _read(line: str) -> Any:
    values = json.loads(line)
    if "topic" not in values:
        return values
    kind = values["type"].replace("/msg/", "/")
    return Published(values["topic"], kind, values["qos"], decode(kind, values["message"]))


def decode(kind: str, value: Any) -> Any:
    """A value of a message as Python has it: numbers of which the stand-in writes every bit, and bytes."""
    if kind in MESSAGES:
        fields = MESSAGES[kind].fields
        assert list(value) == [each.name for each in fields]
        return {
            each.name: (
                bytes.fromhex(value[each.name])
                if each.type == "uint8" and each.array
                else [decode(each.type, item) for item in value[each.name]]
                if each.array
                else decode(each.type, value[each.name])
            )
            for each in fields
        }
    return float.fromhex(value) if kind in ("float32", "float64") else value
