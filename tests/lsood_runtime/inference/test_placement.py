# SPDX-License-Identifier: Apache-2.0
"""Where the nodes of a graph run is read from the live session, and a provider that leaves some is refused on request."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from lsood_runtime import OoDMonitor, ProviderError
from lsood_runtime._cli.main import run
from lsood_runtime._inference.placement import describe_operators, node_counts, read_placement
from lsood_runtime._inference.providers import SHORT_NAMES, parse_provider, register_library, resolve_providers
from lsood_runtime._inference.sessions import session_options
from tests.lsood_runtime.conftest import detector_graph, random_frames, score_by_hand

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"
LEFT = ["Cast", "Cast", "MatMul", "Sort", "Sub", "Exp"]


class Partial(ort.InferenceSession):  # type: ignore[misc]
    """A session that says it has OpenVINO, which left some nodes of each graph to the CPU; the CPU computes."""

    left = LEFT

    def __init__(self, *arguments: Any, providers: Any, **options: Any) -> None:
        self._named = [name for name, _ in providers]
        super().__init__(*arguments, providers=[CPU], **options)

    def get_providers(self) -> list[str]:
        return [*self._named, CPU]

    def get_provider_graph_assignment_info(self) -> list[Any]:
        nodes = {OPENVINO: ["Conv"] * 10, CPU: self.left}
        return [
            SimpleNamespace(
                ep_name=name, get_nodes=lambda kinds=kinds: [SimpleNamespace(op_type=kind) for kind in kinds]
            )
            for name, kinds in nodes.items()
            if kinds
        ]


@pytest.fixture
def openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO, CPU])
    monkeypatch.setattr(ort, "InferenceSession", Partial)


def test_placement_of_a_graph_that_is_not_optimised_is_that_of_its_nodes() -> None:
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    placement = read_placement(ort.InferenceSession(detector_graph(), options, providers=[CPU]))
    nodes = onnx.load_from_string(detector_graph()).graph.node
    assert placement == {CPU: Counter(node.op_type for node in nodes)}
    assert node_counts([placement, placement, {}]) == {CPU: 2 * len(nodes)}


def test_placement_is_what_a_profile_of_a_run_shows(tmp_path: Path) -> None:
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = ort.InferenceSession(detector_graph(), options, providers=[CPU])
    session.run(None, {"latent_samples": np.ones((1, 4, 3), np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = Counter(event["args"]["provider"] for event in events if "provider" in event.get("args", {}))
    assert node_counts([read_placement(session)]) == ran


@pytest.mark.usefixtures("openvino")
def test_provider_that_leaves_nodes_is_refused_on_request_alone(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OoDMonitor(toy_bundle, providers=["openvino"]) as monitor:
        result = monitor.self_test()
        assert monitor.provider == OPENVINO
    assert result.placement == {OPENVINO: 20, CPU: 12}
    assert result.placements["detector.onnx"] == {OPENVINO: {"Conv": 10}, CPU: Counter(LEFT)}
    refused = (
        rf"expected every node of segmentation\.onnx on {OPENVINO}, 6 of 16 run elsewhere "
        r"\(Cast 2, MatMul 1, Sort 1, Sub 1 and 1 more\): leave require_provider out"
    )
    for providers in (["openvino"], ["openvino", "cpu"]):
        with pytest.raises(ProviderError, match=refused):
            OoDMonitor(toy_bundle, providers=providers, require_provider=True)
    assert run(["selftest", str(toy_bundle), "--provider", "openvino:precision=ACCURACY", "--require-provider"]) == 2
    assert "6 of 16 run elsewhere" in capsys.readouterr().err
    assert run(["selftest", str(toy_bundle), "--provider", "openvino"]) == 0
    assert (
        f"nodes     detector.onnx: 10 on {OPENVINO}, 6 on {CPU}; left to {CPU}: Cast 2, MatMul 1, Sort 1, Sub 1 and 1 more"
        in capsys.readouterr().out
    )
    monkeypatch.setattr(Partial, "left", [])
    with OoDMonitor(toy_bundle, providers=["openvino"], require_provider=True) as monitor:
        assert monitor.self_test().placement == {OPENVINO: 20}


def test_cpu_alone_runs_every_node(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["selftest", str(toy_bundle), "--provider", "cpu", "--require-provider", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["placements"].keys() == {"segmentation.onnx", "detector.onnx"}
    assert values["placement"] == {CPU: sum(sum(graph[CPU].values()) for graph in values["placements"].values())}


@pytest.mark.parametrize("count", range(7))
def test_describe_operators_counts_every_node(count: int) -> None:
    operators = {f"Op{i}": i + 1 for i in range(count)}
    words = describe_operators(operators).replace(" and ", ", ").replace(" more", "").split(", ")
    assert sum(int(word.split()[-1]) for word in words if word) == sum(operators.values())


def test_short_names_are_those_of_onnx_runtime() -> None:
    known = {*ort.get_all_providers()}
    assert {*SHORT_NAMES.values()} <= known
    assert [name for name, _ in resolve_providers(list(SHORT_NAMES))] == list(SHORT_NAMES.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", ("cpu", {})),
        ("openvino:device_type=GPU.0,precision=FP16", ("openvino", {"device_type": "GPU.0", "precision": "FP16"})),
        ("openvino:device_type=HETERO:GPU,CPU", ("openvino", {"device_type": "HETERO:GPU,CPU"})),
        ("qnn:backend_path=lib=x.so,log=", ("qnn", {"backend_path": "lib=x.so", "log": ""})),
        ("x:", None),
        ("x:fast", None),
        (":a=b", None),
        ("", None),
    ],
)
def test_parse_provider_takes_a_name_and_its_options(
    text: str, expected: tuple[str, dict[str, str]] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if expected is not None:
        assert parse_provider(text) == expected
        return
    with pytest.raises(ValueError, match="expected"):
        parse_provider(text)
    with pytest.raises(SystemExit) as stopped:
        run(["selftest", "monitor/", "--provider", text])
    assert stopped.value.code == 2
    assert "argument --provider: expected" in capsys.readouterr().err


def test_provider_that_is_known_by_its_device_alone_runs(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As plug-in providers are on releases that do not list them; the CPU provider has a device as well."""
    monkeypatch.setattr(ort, "get_available_providers", list)
    frame = random_frames(1, 1)[0]
    with OoDMonitor(toy_bundle, providers=["cpu"], require_provider=True) as monitor:
        assert monitor.score(frame) == pytest.approx(score_by_hand(frame), abs=1e-5)
        assert monitor.self_test().placement.keys() == {CPU}
    with pytest.raises(
        ProviderError, match=rf"this ONNX Runtime has \({CPU}\), got {OPENVINO}: install onnxruntime-open"
    ):
        OoDMonitor(toy_bundle, providers=["openvino"])


def test_library_that_is_none_or_finds_no_device_is_refused(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "plug.so"
    library.write_bytes(b"no library")
    words = ["selftest", str(toy_bundle), "--provider", "plug", "--provider-library", f"plug={library}"]
    assert run(words) == 2
    assert f"expected the library of an execution provider, got {library}: " in capsys.readouterr().err
    registered: list[tuple[str, str]] = []
    monkeypatch.setattr(ort, "register_execution_provider_library", lambda *given: registered.append(given))
    with pytest.raises(ProviderError, match=r"plug\.so finds none: check what processor it is for"):
        register_library("plug", library)
    assert registered == [("plug", str(library))]
    for wrong in ("plug", "=plug.so", "plug="):
        with pytest.raises(SystemExit):
            run([*words[:-1], wrong])
        assert f"argument --provider-library: expected NAME=FILE, got '{wrong}'" in capsys.readouterr().err
