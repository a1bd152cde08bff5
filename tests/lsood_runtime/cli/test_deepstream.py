# SPDX-License-Identifier: Apache-2.0
"""The configuration on the page about DeepStream fits the model repository that ``lsood triton`` writes."""

import re
from pathlib import Path
from typing import Any

from lsood_runtime import read_manifest
from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.cli.protobuf_text import parse_text_format
from tests.paths import ROOT

PAGE = ROOT / "docs" / "how-to" / "deepstream.md"
TYPES = {"TYPE_FP64": "float64", "TYPE_FP32": "float32", "TYPE_UINT8": "uint8"}


def element_config() -> dict[str, list[Any]]:
    (text,) = re.findall(r"```text\n(infer_config.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return parse_text_format(text)


def test_element_runs_the_ensemble_by_its_name_input_and_size(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    bundle = write_answers_bundle(tmp_path / "monitor", tiles=True, with_map=True)
    words = re.findall(r"^lsood (triton) \S+ models/ (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) == 1
    assert run(["triton", str(bundle), str(tmp_path / "models"), *words[0][1].split()]) == 0
    config = element_config()
    assert config.keys() == {"infer_config", "input_control", "output_control"}
    (infer,) = config["infer_config"]
    (served,) = infer["backend"][0]["triton"]
    assert served["model_repo"][0]["root"] == ["models/"]
    ensemble = parse_text_format((tmp_path / "models" / served["model_name"][0] / "config.pbtxt").read_text())
    assert ensemble["name"] == served["model_name"]
    assert infer["max_batch_size"] == ensemble["max_batch_size"]
    (frame,) = ensemble["input"]
    (prepared,) = infer["preprocess"]
    assert frame["name"] == prepared["tensor_name"]
    contract = read_manifest(bundle).input
    assert frame["dims"] == [contract.frame_height, contract.frame_width, 3], "NHWC"
    assert frame["data_type"] == ["TYPE_UINT8"]
    assert prepared["tensor_order"] == ["TENSOR_ORDER_NHWC"]
    assert prepared["network_format"] == [f"IMAGE_FORMAT_{contract.channels.upper()}"]
    assert prepared["normalize"] == [{"scale_factor": [1.0]}]


def test_outputs_of_the_page_are_those_of_the_ensemble(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    bundle = write_answers_bundle(tmp_path / "monitor", tiles=True, with_map=True, confidence=True)
    assert run(["triton", str(bundle), str(tmp_path / "models")]) == 0
    ensemble = parse_text_format((tmp_path / "models" / "lsood" / "config.pbtxt").read_text())
    types = {each["name"][0]: TYPES[each["data_type"][0]] for each in ensemble["output"]}
    rows = re.findall(r"^\| (`.*?) \| .*? \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
    assert types.pop("segmentation") in told.pop("segmentation")
    assert told["parts"] == "float64", "and so are the answers without a row"
    assert {name: told.get(name, "float64") for name in types} == types
    assert told.keys() - {"parts"} <= types.keys()
