# SPDX-License-Identifier: Apache-2.0
"""One public network: how its users construct it, and the one command by which they export it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

CLASSES = 6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, with which all five libraries train."""


@dataclass(frozen=True)
class ZooNetwork:
    """A row of the zoo's table.

    Attributes:
        name: as the page has it.
        library: the package that it comes from.
        model: ``module:Class`` or ``module:function``, as ``--model`` takes it.
        arguments: constructor arguments, as ``--model-arg`` takes them.
        size: rows and columns of the frames.
        options: what the command needs beside the checkpoint, the network and the frames.
        remark: what a user of this network should know; empty for nothing.
        file: the user's own file in ``tests/zoo/user_files`` that ``model`` names; None where it is the library's own class.
    """

    name: str
    library: str
    model: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    size: tuple[int, int] = (128, 192)
    options: tuple[str, ...] = ()
    remark: str = ""
    file: str | None = None

    @property
    def key(self) -> str:
        """The name in small letters, digits and hyphens, for folders and the names of tests."""
        letters = "".join(letter if letter.isalnum() else " " for letter in f"{self.library} {self.name}".lower())
        return "-".join(letters.split())

    def words(self) -> list[str]:
        """The command behind ``python -m export``: files in the working directory, flags as the network's users type them."""
        words = ["--ckpt", "weights.pt", "--model", self.model]
        for key, value in self.arguments.items():
            words += ["--model-arg", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        return [*words, *self.options, "--frames", "calibration/", "--out", "monitor/", "--fuse"]

    def command(self) -> str:
        """The command as it is typed."""
        return shlex.join(["python", "-m", "export", *self.words()])
