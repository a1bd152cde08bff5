# SPDX-License-Identifier: Apache-2.0
"""A pack for a machine with a GPU, made small and run on the CPU provider: made, run and reported end to end."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import gpu_pack, gpu_pack_run, report
from benchmarks.answered_networks import CONFIDENCE
from benchmarks.gpu_pack import main, make, parts
from benchmarks.gpu_pack_run import drawn, take_turns
from benchmarks.results import read_results
from export.calibration.answer_options import MAP


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pack") / "pack"
    make(out, ["resnet18"], [(256, 512)], [8], frozenset((MAP, CONFIDENCE)))
    return out


@pytest.fixture
def copy(pack: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack, tmp_path / "pack"))


def ran(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-I",
        str(folder / "run.py"),
        "--provider",
        "cpu",
        "--pairs",
        "2",
        "--warm-up",
        "1",
        *flags,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(pack, tmp_path_factory.mktemp("run") / "pack"))
    done = ran(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(folder / "results.json")
    return folder / "results.json"


def test_pack_holds_no_weights_of_convolutions(pack: Path) -> None:
    """So that it is small: a ResNet-18's alone have 45 MB."""
    assert not list(pack.glob("*.bin"))
    assert sum(path.stat().st_size for path in pack.iterdir()) < 20e6
    assert {path.suffix for path in pack.iterdir()} == {".onnx", ".npy", ".npz", ".json", ".py"}


def test_float32_on_the_machine_that_made_the_pack_has_the_expected_bits(results: Path) -> None:
    told = {run["variant"]: run for run in json.loads(results.read_text())["runs"]}
    outputs = {"score", "segmentation", "parts", "anomaly_map", "class_confidence"}
    assert told["fp32"]["differences"] == dict.fromkeys(outputs, 0)
    assert told["fp16"]["differences"].keys() == told["fp32"]["differences"].keys()
    assert 0 < max(told["fp16"]["differences"].values()) < 0.2
    assert told["fp32"]["cuda_graph"] == "not on this provider"


def test_every_way_to_run_is_timed_in_pairs_and_placed(results: Path) -> None:
    for run in json.loads(results.read_text())["runs"]:
        ways = [f"{who}, {way}" for who in ("alone", "monitored") for way in ("host to host", "on the device")]
        assert list(run["seconds"]) == ways
        assert all(len(times) == 2 and min(times) > 0 for times in run["seconds"].values())
        assert run["placement"]["monitored"]["CPUExecutionProvider"] > run["placement"]["alone"]["CPUExecutionProvider"]


@pytest.mark.slow
def test_command_makes_a_pack_with_every_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--backbones", "resnet18", "--sizes", "256x512", "--samples", "8", "16"]
    assert main(["make", str(tmp_path / "pack"), *flags]) == 0
    assert "part 1: " in capsys.readouterr().out
    done = ran(tmp_path / "pack", "--only", "s16")
    assert (done.returncode, done.stderr) == (0, "")
    told = {run["variant"]: run for run in json.loads((tmp_path / "pack" / "results.json").read_text())["runs"]}
    answers = {"quality", "causes", "severity", "novelty", "tiles", "anomaly_map", "class_confidence"}
    assert told["fp32"]["differences"] == dict.fromkeys({"score", "segmentation", "parts"} | answers, 0)


def test_report_reads_the_results(results: Path, tmp_path: Path) -> None:
    assert report.main([str(results), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "pack: monitored / alone, on the device, resnet18-256x512-s8 fp16" in text
    assert "pack: largest differences, resnet18-256x512-s8 fp32" in text
    assert "Targets" not in text


def test_ratios_of_the_report_are_medians_of_the_pairs(results: Path) -> None:
    (run, *_) = json.loads(results.read_text())["runs"]
    times = {name: np.array(values) for name, values in run["seconds"].items()}
    (row,) = (
        figure for figure in read_results(results).of_kind("ratio", variant="fp32") if figure["way"] == "host to host"
    )
    assert row["median"] == np.median(times["monitored, host to host"] / times["alone, host to host"])


def test_weights_of_another_seed_are_refused(copy: Path) -> None:
    told = json.loads((copy / "pack.json").read_text())
    told["weights"]["resnet18-fp32.bin"]["tensors"][0]["seed"] += 1
    (copy / "pack.json").write_text(json.dumps(told))
    done = ran(copy)
    assert done.returncode == 2
    assert done.stderr == (
        "error: expected the weights resnet18-fp32.bin to have the digest that pack.json states: make the pack again\n"
    )
    assert not list(copy.glob("*.part"))


def test_other_values_than_expected_end_with_one_and_weights_that_were_cut_off_are_written_again(copy: Path) -> None:
    (case,) = json.loads((copy / "pack.json").read_text())["cases"]
    with np.load(copy / case["expected"]) as file:
        values = {name: file[name] for name in file.files}
    np.savez_compressed(copy / case["expected"], **{**values, "score": values["score"] * 1.02})
    (copy / "resnet18-fp32.bin").write_bytes(b"cut off")
    done = ran(copy, "--variants", "fp32", "--only", "s8")
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected float32 within 1% of the values")
    assert (copy / "resnet18-fp32.bin").stat().st_size > 40e6
    (run,) = json.loads((copy / "results.json").read_text())["runs"]
    assert run["differences"]["score"] == pytest.approx(0.02 / 1.02)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--only", "vgg"], "expected --only to be part of a name, got 'vgg': the names are resnet18-256x512-s8"),
        (["--pairs", "0"], "expected a whole number from 1 to 100000, got '0'"),
        (["--out", "no/such/folder/results.json"], "expected a folder for the results, no/such/folder is none"),
        (["--out", "."], "expected a file for the results, . is a folder"),
        (["--variants", "tf32"], "expected variants of cpu, got tf32"),
    ],
)
def test_flags_that_cannot_be_are_refused(pack: Path, flags: list[str], words: str, tmp_path: Path) -> None:
    done = ran(Path(shutil.copytree(pack, tmp_path / "pack")), *flags)
    assert done.returncode == 2
    assert words in done.stderr


def test_missing_provider_is_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    assert gpu_pack_run.main([], copy) == 2
    assert "expected CUDAExecutionProvider in this onnxruntime" in capsys.readouterr().err


@pytest.mark.parametrize(
    "contents",
    [
        *("{", "[]", '{"schema": 0}', '{"schema": 1}', None),
        '{"schema": 1, "commit": "", "weights": {}, "cases": [{}]}',
        '{"schema": 1, "commit": "", "weights": {}, "cases": 3}',
    ],
)
def test_folder_that_is_no_pack_is_refused(
    contents: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if contents is not None:
        (tmp_path / "pack.json").write_text(contents)
    assert gpu_pack_run.main(["--provider", "cpu"], tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: expected")
    assert error.count("\n") == 1


def test_folder_with_files_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("kept")
    assert main(["make", str(tmp_path)]) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_part_that_was_not_carried_is_missed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "frames-256x512.npy").unlink()
    assert gpu_pack_run.main(["--provider", "cpu"], copy) == 2
    error = capsys.readouterr().err
    assert (
        error
        == "error: expected 1 more files beside pack.json, such as frames-256x512.npy: carry every part of the pack\n"
    )


def test_network_that_does_not_run_ends_with_two_and_the_others_are_measured(copy: Path) -> None:
    (copy / "resnet18-256x512-s8-fp16.onnx").write_bytes(b"no graph")
    done = ran(copy)
    assert done.returncode == 2
    assert "error: expected every network to run, 1 did not (resnet18-256x512-s8 fp16)" in done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads((copy / "results.json").read_text())
    assert [run["variant"] for run in told["runs"]] == ["fp32"]
    assert [row["variant"] for row in told["failed"]] == ["fp16"]


def test_folder_of_a_pack_that_could_not_be_made_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--backbones", "resnet18", "--sizes", "64x64", "--samples", "8"]
    assert main(["make", str(tmp_path / "new" / "pack"), *flags]) == 2
    assert "expected at most 5% of masks to drop nothing" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--sizes", "256x0"), ("--sizes", "0x512"), ("--sizes", "256"), ("--sizes", "256x500"), ("--sizes", "8192x512")]
    + [("--samples", value) for value in ("0", "-3", "many")],
)
def test_sizes_and_samples_that_cannot_be_are_refused(
    flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["make", str(tmp_path / "pack"), f"{flag}={value}"])
    assert ended.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_calls_of_a_pair_go_first_equally_often() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in ("a", "b", "c", "d")}
    take_turns(calls, 400, 1)
    rounds = [order[i : i + 4] for i in range(4, len(order), 4)]
    assert all(sorted(row) == ["a", "b", "c", "d"] for row in rounds)
    assert stats.binomtest(sum(row.index("a") < row.index("b") for row in rounds), len(rounds)).pvalue > 1e-3


def test_script_of_a_pack_needs_numpy_and_onnxruntime_alone() -> None:
    tree = ast.parse(Path(gpu_pack_run.__file__).read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        name.partition(".")[0]
        for node in nodes
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert names - sys.stdlib_module_names == {"numpy", "onnxruntime"}


@given(st.integers(0, 2**48 - 1), st.floats(1e-3, 10))
@settings(max_examples=30, deadline=None)
def test_drawn_numbers_are_uniform_of_their_deviation(seed: int, deviation: float) -> None:
    numbers = drawn(seed, 4000, deviation)
    end = deviation * 3**0.5
    assert numbers.dtype == np.float32
    assert stats.kstest(numbers, stats.uniform(-end, 2 * end).cdf).pvalue > 1e-6
    np.testing.assert_array_equal(numbers[:100], drawn(seed, 100, deviation))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_parts_keep_every_file_in_order_and_are_no_larger_than_allowed(sizes: list[int]) -> None:
    class File:
        def __init__(self, size: int) -> None:
            self.st_size = size * 10**6

        def stat(self) -> "File":
            return self

    files: list[Any] = [File(size) for size in sizes]
    groups = parts(files)
    assert [file for group in groups for file in group] == files
    assert all(sum(file.stat().st_size for file in group) <= gpu_pack.LARGEST_PART for group in groups)
