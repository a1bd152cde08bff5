# SPDX-License-Identifier: Apache-2.0
"""``lsood triton``: its configurations are read back, and the ensemble that they describe is played by ONNX Runtime."""

import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from lsood_runtime import OoDMonitor, read_manifest
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.main import run
from lsood_runtime._cli.triton_config import _quoted
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.cli.protobuf_text import parse_text_format
from tests.lsood_runtime.conftest import SAMPLES, random_frames, toy_manifest, write_noise_bundle, write_toy_bundle

ELEMENTS = {"TYPE_UINT8": np.uint8, "TYPE_FP32": np.float32, "TYPE_FP64": np.float64}
Message = dict[str, list[Any]]


def config_of(repository: Path, name: str) -> Message:
    config = parse_text_format((repository / name / "config.pbtxt").read_text())
    assert config["name"] == [name]
    return config


def check_tensor(config: Message, side: str, name: str, values: NDArray[Any]) -> None:
    """A batch as the graph takes or gives it has the element type and the shape that the configuration states."""
    (tensor,) = (each for each in config[side] if each["name"] == [name])
    assert values.dtype == ELEMENTS[tensor["data_type"][0]]
    shape = tensor["reshape"][0].get("shape", []) if "reshape" in tensor else tensor["dims"]
    assert list(values.shape[1:]) == shape
    assert np.prod(shape, dtype=int) == np.prod(tensor["dims"], dtype=int)


def play(repository: Path, name: str, given: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Take a batch through the steps of an ensemble as Triton does, by the maps of each step."""
    ensemble, values = config_of(repository, name), dict(given)
    assert ensemble["platform"] == ["ensemble"]
    assert {tensor["name"][0] for tensor in ensemble["input"]} == set(given)
    for step in ensemble["ensemble_scheduling"][0]["step"]:
        model = config_of(repository, step["model_name"][0])
        session = ort.InferenceSession(repository / model["name"][0] / "1" / "model.onnx")
        read = {pair["key"][0]: values[pair["value"][0]] for pair in step["input_map"]}
        asked = {pair["key"][0]: pair["value"][0] for pair in step["output_map"]}
        assert {node.name for node in session.get_inputs()} == set(read)
        for each, batch in read.items():
            check_tensor(model, "input", each, batch)
        for each, batch in zip(asked, session.run(list(asked), read), strict=True):
            check_tensor(model, "output", each, batch)
            values[asked[each]] = batch
    return {tensor["name"][0]: values[tensor["name"][0]] for tensor in ensemble["output"]}


@pytest.mark.parametrize("kind", ["classes", "logits", "none"])
def test_ensemble_gives_segmentation_and_scores_of_the_monitor(kind: str, tmp_path: Path) -> None:
    bundle = write_toy_bundle(_made(tmp_path / "monitor"), kind)
    assert run(["triton", str(bundle), str(tmp_path / "models"), "--name", "front"]) == 0
    frames = random_frames(3, seed=5)
    outputs = play(tmp_path / "models", "front", {"frame": frames})
    with OoDMonitor(bundle) as monitor:
        np.testing.assert_array_equal(outputs["score"], monitor.score_batch(frames))
        if kind == "classes":
            np.testing.assert_array_equal(outputs["segmentation"][0], monitor.assess(frames[0]).segmentation)
    assert ("segmentation" in outputs) == (kind != "none")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["front", "front_detector", "front_network"]


def test_ensemble_of_a_bundle_with_answers_gives_them(tmp_path: Path) -> None:
    bundle = write_answers_bundle(_made(tmp_path / "monitor"), tiles=True, with_map=True)
    assert run(["triton", str(bundle), str(tmp_path / "models")]) == 0
    frame = random_frames(1, seed=5)
    outputs = play(tmp_path / "models", "lsood", {"frame": frame})
    manifest = read_manifest(bundle)
    assert manifest.answers is not None
    assert set(manifest.answers.shapes()) <= set(outputs)
    with OoDMonitor(bundle) as monitor:
        verdict = monitor.assess(frame[0])
        assert verdict.anomaly_map is not None
        np.testing.assert_array_equal(outputs["anomaly_map"][0], verdict.anomaly_map)
        assert manifest.answers.tiles is not None
        assert verdict.tile_values is not None
        np.testing.assert_allclose(outputs["tiles"][0] / manifest.answers.tiles.limit, verdict.tile_values)
    parameters = {
        pair["key"][0]: pair["value"][0]["string_value"][0]
        for pair in config_of(tmp_path / "models", "lsood")["parameters"]
    }
    assert float(parameters["lsood_threshold"]) == manifest.threshold.value
    assert float(parameters["lsood_novelty_limit"]) == manifest.answers.novelty_limit
    tiles, told = manifest.answers.tiles, manifest.answers.map
    assert told is not None
    assert float(parameters["lsood_tile_limit"]) == tiles.limit
    assert float(parameters["lsood_tile_neighbor_limit"]) == tiles.neighbor_limit
    assert float(parameters["lsood_object_limit"]) == told.object_limit
    assert int(parameters["lsood_smallest_object"]) == told.smallest_object
    digest = (bundle / "manifest.sha256").read_text().split()[0]
    assert parameters["lsood_manifest_sha256"] == digest
    copied = tmp_path / "models" / "lsood" / "1" / "manifest.json"
    assert copied.read_bytes() == (bundle / "manifest.json").read_bytes()


def test_manifest_of_the_repository_is_the_one_that_was_verified(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = (toy_bundle / "manifest.json").read_bytes()

    def replaced_behind(*arguments: Any, **named: Any) -> Any:
        bundle = open_bundle(*arguments, **named)
        (toy_bundle / "manifest.json").write_bytes(b"another one")
        return bundle

    monkeypatch.setattr("lsood_runtime._cli.triton.open_bundle", replaced_behind)
    assert run(["triton", str(toy_bundle), str(tmp_path / "models")]) == 0
    assert (tmp_path / "models" / "lsood" / "1" / "manifest.json").read_bytes() == verified


def test_ensemble_of_masks_from_noise_takes_the_noise(tmp_path: Path) -> None:
    bundle = write_noise_bundle(_made(tmp_path / "monitor"))
    assert run(["triton", str(bundle), str(tmp_path / "models")]) == 0
    frames = random_frames(2, seed=5)
    with OoDMonitor(bundle) as monitor:
        shape = monitor.manifest.masks.noise[0]
        noise = np.random.default_rng(1).random((2, SAMPLES, *shape), np.float32)
        outputs = play(tmp_path / "models", "lsood", {"frame": frames, "noise_0": noise})
        np.testing.assert_array_equal(
            outputs["score"], [monitor.score(f, [n]) for f, n in zip(frames, noise, strict=True)]
        )


def test_network_with_weights_in_a_file_of_their_own_is_served_with_them(
    bundle: Path, frames: Path, tmp_path: Path
) -> None:
    assert run(["triton", str(bundle), str(tmp_path / "models")]) == 0
    contract = read_manifest(bundle).input
    batch = np.random.default_rng(0).integers(0, 256, (2, contract.frame_height, contract.frame_width, 3), np.uint8)
    outputs = play(tmp_path / "models", "lsood", {"frame": batch})
    with OoDMonitor(bundle) as monitor:
        np.testing.assert_allclose(outputs["score"], monitor.score_batch(batch), rtol=1e-6)
    assert (tmp_path / "models" / "lsood_network" / "1" / "weights.bin").is_file()


def test_flags_stand_in_the_configuration(toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--provider", "cuda", "--max-batch", "8", "--batch-delay-us", "500", "--instances", "2"]
    assert run(["triton", str(toy_bundle), str(tmp_path / "models"), *flags]) == 0
    assert "next: tritonserver --model-repository=" in capsys.readouterr().out
    for name in ("lsood_network", "lsood_detector"):
        config = config_of(tmp_path / "models", name)
        assert config["backend"] == ["onnxruntime"]
        assert config["max_batch_size"] == [8]
        assert config["instance_group"] == [{"count": [2], "kind": ["KIND_GPU"]}]
        assert config["dynamic_batching"] == [{"max_queue_delay_microseconds": [500]}]
    assert config_of(tmp_path / "models", "lsood")["max_batch_size"] == [8]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--name", "a/b"], "expected letters, digits"),
        (["--name", ""], "expected letters, digits"),
        (["--max-batch", "0"], "expected a whole number from 1 to 1024, got '0'"),
        (["--max-batch", "1025"], "expected a whole number from 1 to 1024, got '1025'"),
        (["--instances", "65"], "expected a whole number from 1 to 64, got '65'"),
        (["--max", "8"], "unrecognized arguments: --max 8: did you mean --max-batch?"),
        (["--batch-delay-us", "-1"], "expected microseconds from 0"),
        (["--batch-delay-us", "99999999999"], "expected microseconds from 0"),
        (["--provider", "tensorrt"], "invalid choice"),
    ],
)
def test_flags_out_of_range_are_refused(
    flags: list[str], message: str, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(["triton", str(toy_bundle), str(tmp_path / "models"), *flags])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_folder_that_holds_something_is_refused_and_kept(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").write_text("mine")
    assert run(["triton", str(toy_bundle), str(tmp_path / "models")]) == 2
    assert "a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine.txt"]
    assert run(["triton", str(toy_bundle), str(toy_bundle / "models")]) == 2
    assert not (toy_bundle / "models").exists()


def test_damaged_bundle_and_failed_write_leave_nothing(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_path: Path, _contents: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        assert run(["triton", str(toy_bundle), str(tmp_path / "models")]) == 2
    assert "No space left on device; choose another folder" in capsys.readouterr().err
    (toy_bundle / "detector.onnx").write_bytes(b"cut off")
    assert run(["triton", str(toy_bundle), str(tmp_path / "models")]) == 2
    assert "detector.onnx" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {toy_bundle.name}


def test_masks_drawn_anew_are_refused(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = toy_manifest()["masks"] | {"mode": "fresh", "sha256": None}
    assert run(["triton", str(make_bundle(masks=masks)), str(tmp_path / "models")]) == 2
    assert "--masks fixed" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["plain", 'a "quoted" \\ name', "Straße 7", "tab\tand\nline", "moments/layer1.0"])
def test_strings_are_read_back_as_they_were(text: str) -> None:
    assert parse_text_format(f"name: {_quoted(text)}") == {"name": [text]}


_PARSE = """
import sys
from pathlib import Path
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
for path in sorted(Path(sys.argv[1]).glob("*/config.pbtxt")):
    config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    print(config.name, config.max_batch_size, len(config.input), len(config.output), len(config.ensemble_scheduling.step))
"""


@pytest.mark.slow
def test_configurations_are_messages_of_tritons_own_definitions(tmp_path: Path) -> None:
    bundle = write_answers_bundle(_made(tmp_path / "monitor"), tiles=True, with_map=True)
    assert run(["triton", str(bundle), str(tmp_path / "models")]) == 0
    venv.create(tmp_path / "client", with_pip=True)
    python = tmp_path / "client" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "tritonclient[grpc]"], check=True, capture_output=True)
    done = subprocess.run([python, "-c", _PARSE, tmp_path / "models"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(bundle)
    assert manifest.answers is not None
    answers = len(manifest.answers.shapes())
    assert done.stdout.splitlines() == [
        f"lsood 4 1 {3 + answers} 2",
        f"lsood_detector 4 1 {2 + answers} 0",
        "lsood_network 4 1 2 0",
    ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
