# SPDX-License-Identifier: Apache-2.0
"""Certificates that were changed: whatever is dropped or replaced in one, it is refused in one line or read whole."""

import copy
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lsood_runtime._certificate.read_certificate import read_certificate
from lsood_runtime._cli.main import run
from lsood_runtime._exceptions import MediaError
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import random_frames

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 0.5, -0.5, 2, 10**400, 1e308, 7.5, "", "text", "\x1b[2J", "\ud800", "a\nb"),
    *([], [1], [None], {}, {"a": 1}, {"": None}, [[[]]], "f" * 64),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with every field: of a bundle with all answers, on the CPU itself."""
    folder = tmp_path_factory.mktemp("certificate")
    (folder / "bundle").mkdir()
    (folder / "drive").mkdir()
    bundle = write_answers_bundle(folder / "bundle", tiles=True, with_map=True, confidence=True)
    for i, frame in enumerate(random_frames(3, seed=3)):
        Image.fromarray(frame).save(folder / "drive" / f"{i}.png")
    words = ["certify", str(bundle), "--provider", "cpu", "--frames", str(folder / "drive"), "--rounds", "6"]
    assert run([*words, "--out", str(folder / "c.json")]) == 0
    return folder / "c.json"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def test_every_field_that_is_dropped_is_missed(written: Path, tmp_path: Path) -> None:
    document, named = json.loads(written.read_text()), tmp_path / "changed.json"
    tables = {"differences", "changed_words", "options", "nodes", "graphs"}  # of any names
    for path in places(document):
        if tables & set(path[:-1]) and path[-1] not in ("largest", "frame", "unlike"):
            continue
        changed = copy.deepcopy(document)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        named.write_text(json.dumps(changed))
        if isinstance(path[-1], str):
            with pytest.raises(MediaError, match=r"expected (of the|a) certificate"):
                read_certificate(named)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_certificate_is_refused_in_one_line_or_compared(written: Path, data: st.DataObject) -> None:
    document = json.loads(written.read_text())
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(document))))
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = data.draw(st.sampled_from(ODD))
    changed = written.with_name("changed.json")
    changed.write_text(json.dumps(document))
    for pair in ((written, changed), (changed, written)):
        said = io.StringIO()
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            code = run(["certify", "--compare", *map(str, pair)])
        assert code in (0, 1, 2), "3 would be an unexpected error"
        if code == 2:
            (line,) = said.getvalue().splitlines()
            assert line.startswith("lsood: error: expected")
            assert str(changed) in line


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_damaged_bytes_are_refused(written: Path, more: bytes, place: int) -> None:
    contents = written.read_bytes()
    cut = place % len(contents)
    (changed := written.with_name("changed.json")).write_bytes(contents[:cut] + more)
    with pytest.raises(MediaError, match="expected a certificate"):
        read_certificate(changed)


def test_certificate_of_the_first_schema_is_called_old_and_not_changed(written: Path, tmp_path: Path) -> None:
    """It lacks what its frames exclude, and fields of the objects."""
    document = json.loads(written.read_text()) | {"schema": 1}
    del document["decisions"]["at_most"]
    (tmp_path / "old.json").write_text(json.dumps(document))
    with pytest.raises(MediaError) as raised:
        read_certificate(tmp_path / "old.json")
    assert str(raised.value) == (
        f"expected a certificate of schema 2, got 1 in {tmp_path / 'old.json'}: an older version wrote it, with fewer "
        "fields; certify bundle, provider and frames again"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (("decisions", "share"), 0.5, "field decisions.share to be 0 of 3 frames, got 0.5"),
        (("decisions", "flipped"), 9, "field decisions.flipped to be from 0 to 3, got 9"),
        (("decisions", "low"), 0.9, "field decisions to be a share within its interval"),
        (("passed",), False, "field passed to be true without failures, got False"),
        (("latency", "provider_over_cpu", "high"), None, "field latency.provider_over_cpu to be a median within"),
        (("latency", "cpu_ms", "p50"), 1e9, "field latency.cpu_ms to be percentiles in order"),
        (("frames", "sha256"), "no digest", "field frames.sha256 to be 64 hexadecimal digits, got 'no digest'"),
        (("objects", "without_partner"), 999, "field objects to be counts and an overlap"),
        (("machine", "cores"), "two", "field machine.cores to be int, got 'two'"),
        (("provider", "graphs", "detector.onnx"), 3, "field provider.graphs.detector.onnx to be an object, got 3"),
        (("schema",), True, "expected a certificate of schema 2, got True"),
        (("schema",), "2", "expected a certificate of schema 2, got '2'"),
        (("schema",), 0, "expected a certificate of schema 2, got 0"),
        (("schema",), 3, "changed.json: a newer version wrote it; read it with that one, or certify again"),
    ],
)
def test_fields_at_odds_are_named(
    field: tuple[str, ...], value: Any, message: str, written: Path, tmp_path: Path
) -> None:
    document = json.loads(written.read_text())
    inner = document
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = value
    (tmp_path / "changed.json").write_text(json.dumps(document))
    with pytest.raises(MediaError) as raised:
        read_certificate(tmp_path / "changed.json")
    assert message in str(raised.value)
