# SPDX-License-Identifier: Apache-2.0
"""Every command beside its function: both are run as the page has them, and what comes out is compared."""

import csv
import dataclasses
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from export.cli.search_table import write_json
from lsood_runtime import Manifest, State, read_manifest, read_summaries
from lsood_runtime.functions import verify_bundle
from mkdocs_hooks.command_line import COMMANDS
from tests.documentation.pages import PAIRS, Block
from tests.documentation.reader import Reader

_NAMES = {"export": "export", "lsood_runtime": "lsood"}
TITLES = [" ".join([_NAMES[words[0]], *words[1:]]) for words in COMMANDS if words != ("lsood_runtime",)]
_SLOW = {"export", "export search"}  # a second export, and a search twice
_TIMES = {"latency_ms", "created", "made_at"}


def sections() -> dict[str, list[Block]]:
    """The blocks of each command, by its name."""
    parts = re.split(r"^## `([^`]+)`$", PAIRS.text, flags=re.MULTILINE)
    return {title: PAIRS.blocks_of(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_page_has_a_section_for_every_command_with_a_command_and_a_function() -> None:
    found = sections()
    assert sorted(found) == sorted(TITLES)
    for title, blocks in found.items():
        assert [block.language for block in blocks] == ["bash", "python"], title
        package, *words = title.split()
        typed = ["python", "-m", {"export": "export", "lsood": "lsood_runtime"}[package], *words]
        assert blocks[0].commands[-1].split()[: len(typed)] == typed


def without_times(value: Any) -> Any:
    """A value of JSON without what another run measures anew."""
    if isinstance(value, dict):
        return {name: without_times(each) for name, each in value.items() if name not in _TIMES}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def as_json(value: Any) -> Any:
    return without_times(json.loads(json.dumps(value)))


def same_monitor(one: str, other: str) -> None:
    """Two bundles of the same numbers: graphs hold their own manifests, and differ by its time."""
    told = [read_manifest(place) for place in (one, other)]
    kept = ("calibration", "operating_points", "detector", "features", "golden", "input", "masks", "network_sha256")
    first, second = ({name: getattr(manifest, name) for name in kept} for manifest in told)
    assert first == second
    assert told[0].files["golden.npz"].sha256 == told[1].files["golden.npz"].sha256


def rows_of(verdicts: Any) -> Any:
    rows = [{"frame": name, **verdict.asdict()} for name, verdict in verdicts]
    return as_json([{name: value for name, value in row.items() if name != "parts"} for row in rows])


def compare_export(typed: SimpleNamespace, result: Any) -> None:
    same_monitor("monitor", "monitor-2")
    assert result.manifest == read_manifest("monitor-2")


def compare_calibrate(typed: SimpleNamespace, result: Any) -> None:
    same_monitor("recalibrated", "recalibrated-2")
    assert result.manifest == read_manifest("recalibrated-2")


def compare_evaluate(typed: SimpleNamespace, result: Any) -> None:
    assert without_times(json.loads(typed.out)) == as_json(result.asdict())


def compare_benchmark(typed: SimpleNamespace, result: Any) -> None:
    one, other = (json.loads(Path(place, "benchmark.json").read_text()) for place in ("results", "results-2"))
    assert without_times(one) == without_times(other) == as_json(result.asdict())


def compare_evidence(typed: SimpleNamespace, result: Any) -> None:
    one, other = (json.loads(Path(place, "evidence.json").read_text()) for place in ("evidence", "evidence-2"))
    assert without_times(one) == without_times(other)
    assert typed.out.startswith("\n".join(result.summary))


def compare_fleet(typed: SimpleNamespace, result: Any) -> None:
    one, other = (json.loads(Path(place, "fleet.json").read_text()) for place in ("fleet", "fleet-2"))
    assert one | {"options": None} == other | {"options": None}
    assert other == as_json(result.asdict())


def compare_search(typed: SimpleNamespace, result: Any) -> None:
    told = io.StringIO()
    write_json(result, told)
    assert json.loads(typed.out) == json.loads(told.getvalue())


def compare_score(typed: SimpleNamespace, result: Any) -> None:
    assert without_times(json.loads(typed.out)) == rows_of(result.items())
    flagged = {State.OUT_OF_DISTRIBUTION, State.INVALID, State.LOW_QUALITY}
    assert typed.code == int(any(verdict.state in flagged for verdict in result.values()))


def compare_watch(typed: SimpleNamespace, result: Any) -> None:
    assert without_times([json.loads(line) for line in typed.out.splitlines()]) == rows_of(result)
    assert typed.code == int(any(assessment.onset for _, assessment in result))


def compare_select(typed: SimpleNamespace, result: Any) -> None:
    with Path("pick.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [pick.frame for pick in result.picks]
    distances = [float(row["distance"] or "inf") for row in rows]
    assert distances == pytest.approx([pick.distance for pick in result.picks])


def compare_summary(typed: SimpleNamespace, result: Any) -> None:
    assert list(read_summaries("car-17.parquet")) == result == list(read_summaries("car-17-2.parquet"))


def compare_inspect(typed: SimpleNamespace, result: Any) -> None:
    assert Manifest.from_json(typed.out) == result.manifest
    assert f"manifest sha256 {result.sha256}" in typed.err


def compare_selftest(typed: SimpleNamespace, result: Any) -> None:
    told = json.loads(typed.out)
    assert told["scores"] == list(result.scores)
    assert (told["passed"], typed.code) == (result.passed, 0)


def compare_certify(typed: SimpleNamespace, result: Any) -> None:
    same = ("passed", "failures", "limits", "bundle", "provider", "golden", "frames", "decisions", "differences")
    told, expected = json.loads(typed.out), json.loads(result.to_json())
    assert {name: told[name] for name in same} == {name: expected[name] for name in same}
    assert typed.code == int(not result.passed)


def compare_diff(typed: SimpleNamespace, result: Any) -> None:
    told = json.loads(typed.out)
    flips = [dataclasses.asdict(flip) for flip in result.flips]
    assert told == json.loads(json.dumps({"changes": result.changes, "frames": result.frames, "flips": flips}))
    assert (typed.code, told["frames"]) == (int(result.differ), 6)


def compare_sign(typed: SimpleNamespace, result: Any) -> None:
    assert typed.out == f"signed {result} files of monitor\n"


def compare_verify(typed: SimpleNamespace, result: Any) -> None:
    assert typed.out.endswith(f"manifest sha256 {result.sha256}\n")


def compare_pack(typed: SimpleNamespace, result: Any) -> None:
    assert Path("monitor.zip").read_bytes() == Path("monitor-2.zip").read_bytes()
    assert result == verify_bundle("monitor.zip").sha256
    assert result in typed.out


def compare_push(typed: SimpleNamespace, result: Any) -> None:
    assert result.sha256 == verify_bundle("monitor").sha256
    assert result.sha256 in typed.out


def compare_pull(typed: SimpleNamespace, result: Any) -> None:
    assert verify_bundle("pulled").sha256 == verify_bundle("pulled-2").sha256 == result.sha256


def compare_triton(typed: SimpleNamespace, result: Any) -> None:
    one, other = (
        {str(p.relative_to(place)): p.read_bytes() for p in Path(place).rglob("*") if p.is_file()}
        for place in ("models", "models-2")
    )
    assert one == other
    assert (len(one), typed.out.splitlines()[0]) == (
        result.files,
        f"wrote {', '.join(result.models)} into models, {result.files} files",
    )


COMPARED: dict[str, Callable[[SimpleNamespace, Any], None]] = {
    "export": compare_export,
    "export calibrate": compare_calibrate,
    "export evaluate": compare_evaluate,
    "export benchmark": compare_benchmark,
    "export evidence": compare_evidence,
    "export fleet": compare_fleet,
    "export search": compare_search,
    "lsood score": compare_score,
    "lsood watch": compare_watch,
    "lsood select": compare_select,
    "lsood summary": compare_summary,
    "lsood inspect": compare_inspect,
    "lsood selftest": compare_selftest,
    "lsood certify": compare_certify,
    "lsood diff": compare_diff,
    "lsood sign": compare_sign,
    "lsood verify": compare_verify,
    "lsood pack": compare_pack,
    "lsood push": compare_push,
    "lsood pull": compare_pull,
    "lsood triton": compare_triton,
}


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=pytest.mark.slow) if title in _SLOW else title for title in TITLES]
)
def test_command_and_function_give_the_same(
    title: str, reader: Reader, exported: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if title in ("lsood push", "lsood pull"):
        pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    command, function = sections()[title]
    if title != "export":
        shutil.copytree(exported, "monitor")
    for line in command.commands[:-1]:
        reader.type(line)
    capfd.readouterr()
    code = reader.type(command.commands[-1])
    out, err = capfd.readouterr()
    namespace: dict[str, Any] = {}
    reader.run_in(namespace, function)
    COMPARED[title](SimpleNamespace(out=out, err=err, code=code), namespace["result"])
