# SPDX-License-Identifier: Apache-2.0
"""Names of files that are no UTF-8, or hold what tables and pictures give a meaning: every output has them, and the same."""

import contextlib
import csv
import io
import json
import os
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from PIL import Image

from lsood_runtime._cli.main import run
from lsood_runtime._text.printable import printable
from tests.lsood_runtime.conftest import random_frames

NAMES = (
    b"latin\xe9.png",
    b"\xff\xfe.png",
    "caf\u00e9 \u732b.png".encode(),
    b'quote",comma$x_{1$.png',
    b"new\nline.png",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("readable", [True, False])
def test_score_file_of_any_name_is_in_every_output(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: bytes, readable: bool
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    Image.fromarray(random_frames(1, seed=2)[0]).save(path)
    if not readable:
        path.write_bytes(path.read_bytes()[:60])
    outs = {suffix: tmp_path / f"out.{suffix}" for suffix in ("csv", "jsonl", "parquet", "mcap")}
    pictures = ["--thumbnails", str(tmp_path / "highest.png"), "--timeline", str(tmp_path / "timeline.png")]
    files = [word for out in outs.values() for word in ("--out", str(out))]
    assert run(["score", str(toy_bundle), str(path), "--json", *files, *pictures]) == (0 if readable else 1)
    (printed,) = json.loads(capsys.readouterr().out)
    assert run(["score", str(toy_bundle), str(path), "--csv"]) == (0 if readable else 1)
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    with outs["csv"].open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    with outs["mcap"].open("rb") as file:
        ((_, _, message),) = make_reader(file).iter_messages()
    written = (
        row,
        line,
        json.loads(outs["jsonl"].read_text(encoding="utf-8")),
        json.loads(message.data),
        *pyarrow.parquet.read_table(outs["parquet"]).to_pylist(),
    )
    assert {each["frame"] for each in (printed, *written)} == {printable(str(path))}
    assert all((tmp_path / picture).stat().st_size for picture in ("highest.png", "timeline.png"))
    assert run(["score", str(toy_bundle), str(path)]) == (0 if readable else 1)
    assert printable(path.name).split()[0] in capsys.readouterr().out


@given(st.binary(min_size=1, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_printable_name_of_any_bytes_is_utf_8_and_text_stays(name: bytes) -> None:
    decoded = os.fsdecode(name)
    text = printable(decoded)
    text.encode("utf-8")
    if decoded.isprintable():
        assert text == decoded
    else:
        assert printable(text) == text


@pytest.mark.parametrize(
    "words", [["score", "{}"], ["score", "BUNDLE", "{}"], ["watch", "BUNDLE", "{}"], ["{}"], ["--{}"]]
)
@pytest.mark.parametrize("hostile", ["\x1b[2Jx", "\x1b]0;title\x07", "a\rb", "\x9b1m", "\u202egnp.exe"])
def test_command_with_control_characters_in_a_name_prints_none_of_them(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str], words: list[str], hostile: str
) -> None:
    named = [str(toy_bundle) if word == "BUNDLE" else word.format(hostile) for word in words]
    with contextlib.suppress(SystemExit):
        run(named)
    printed = capsys.readouterr()
    assert printed.err
    assert all(each.isprintable() or each == "\n" for each in printed.out + printed.err)
