# SPDX-License-Identifier: Apache-2.0
"""What a user states about pixels: the library speaks of arguments, the commands of flags."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import FrameError
from lsood_runtime._cli.main import run
from lsood_runtime._media.pictures import decode_picture
from lsood_runtime._media.pixel_rules import in_flags
from tests.lsood_runtime.cli.test_run_ends import rows
from tests.lsood_runtime.conftest import HEIGHT, WIDTH
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("message", "flags"),
    [
        ("accept them with PixelRules(grey=True)", "accept them with --grey"),
        ("state PixelRules(bits=...), 12 or 16; PixelRules(bits=12)", "state --bits, 12 or 16; --bits 12"),
        ("PixelRules(encodings=...) or PixelRules(yuv='bt709-full')", "--encoding or --yuv bt709-full"),
        ("a file named PixelRules(other=3).png stays", "a file named PixelRules(other=3).png stays"),
        ("nothing", "nothing"),
    ],
)
def test_in_flags_of_a_message_names_what_the_commands_take(message: str, flags: str) -> None:
    assert in_flags(message) == flags


def test_library_messages_name_no_flag() -> None:
    """Texts that are raised or told, of every module that a program can reach without the commands."""
    files = [path for path in (ROOT / "lsood_runtime").rglob("*.py") if "_cli" not in path.parts]
    assert len(files) > 50
    texts = [
        (path.name, node.value)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    flags = re.compile(r"(?<![\w-])--(grey|bits|encoding|yuv|topic|fps|out|strict|parts|alarm)\b")
    named = [(name, text) for name, text in texts if flags.search(text) and name != "pixel_rules.py"]
    assert named == []


def test_grey_image_is_refused_by_the_argument_in_a_program_and_by_the_flag_in_a_command(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "grey.png", tmp_path / "scores.jsonl"
    Image.fromarray(np.full((HEIGHT, WIDTH), 9, np.uint8)).save(path)
    with pytest.raises(FrameError, match=r"accept grey images with PixelRules\(grey=True\)$"):
        decode_picture(path.read_bytes())
    for command in ("score", "watch"):
        run([command, str(toy_bundle), str(path), "--out", str(out)])
        assert rows(out)[0]["reason"].endswith("accept grey images with --grey")
        assert run([command, str(toy_bundle), str(path), "--strict"]) == 2
    assert run(["diff", str(toy_bundle), str(toy_bundle), str(path)]) == 2
    output = "".join(capsys.readouterr())
    assert "with --grey" in output
    assert "PixelRules" not in output
