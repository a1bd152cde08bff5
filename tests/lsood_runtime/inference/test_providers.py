# SPDX-License-Identifier: Apache-2.0
"""Which provider runs is never a guess."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from lsood_runtime import BundleError, FrameError, OoDMonitor, ProviderError
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.main import run
from lsood_runtime._inference.frame_pass import SORTED_FIRST, HostPass
from lsood_runtime._inference.loading import LoadOptions, load_graphs
from lsood_runtime._inference.providers import captures_graph, register_library, resolve_providers
from lsood_runtime._inference.sessions import session_options
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal, toy_manifest
from tests.lsood_runtime.parts_bundle import (
    MOMENTS,
    features_graph,
    parts_graph,
    parts_manifest,
    write_parts_bundle,
)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
NODE = SimpleNamespace(op_type="Add")
no_cuda = pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="CUDA is there")


@no_cuda
def test_provider_cuda_without_a_gpu_is_refused_or_logged(toy_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    for providers in (["cuda"], ["cuda", "cpu"], ["tensorrt", "cuda", "cpu"], [("cuda", {"device_id": 1})]):
        with pytest.raises(ProviderError, match="install lsood-runtime with the extra gpu"):
            OoDMonitor(toy_bundle, providers=providers)
    with OoDMonitor(toy_bundle, providers=["cuda"], allow_fallback=True) as monitor:
        assert monitor.provider == CPU
        assert monitor.assess(random_frames(1, 1)[0]).provider == CPU
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{CUDA} does not run, going on with {CPU}" in caplog.text


def test_fallback_damaged_bundle_is_refused(toy_bundle: Path) -> None:
    (toy_bundle / "detector.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match="cannot load"):
        OoDMonitor(seal(toy_bundle, toy_manifest()), providers=["cuda"], allow_fallback=True)


class Pretending(ort.InferenceSession):  # type: ignore[misc]
    """A session that says it runs on CUDA, as one does whose cuDNN is missing until the first convolution."""

    def __init__(self, *arguments: Any, providers: Any, **options: Any) -> None:
        self._wanted = [name for name, _ in providers]
        super().__init__(*arguments, providers=[CPU], **options)

    def get_providers(self) -> list[str]:
        return self._wanted


class WithoutCudnn(Pretending):
    def get_provider_graph_assignment_info(self) -> list[Any]:
        return []

    def run_with_iobinding(self, *_: Any) -> None:
        raise RuntimeError("libcudnn.so.9: cannot open shared object file")


@no_cuda
def test_fallback_provider_failing_its_first_frame_is_replaced(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", WithoutCudnn)
    with pytest.raises(ProviderError, match=rf"{CUDA} failed while it ran"):
        OoDMonitor(toy_bundle, providers=["cuda"])
    with OoDMonitor(toy_bundle, providers=["cuda"], allow_fallback=True) as monitor:
        assert monitor.provider == CPU
        assert monitor.score(random_frames(1, 1)[0]) >= 0


@no_cuda
def test_provider_without_any_node_is_refused(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", Pretending)
    with pytest.raises(ProviderError, match=rf"expected {CUDA} to run segmentation\.onnx, its nodes are \d+ on {CPU}"):
        OoDMonitor(toy_bundle, providers=["cuda"])


@no_cuda
def test_detector_on_the_next_device_is_accepted(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does behind TensorRT, which has no float64."""

    class OnBoth(Pretending):
        def get_provider_graph_assignment_info(self) -> list[Any]:
            network = self.get_inputs()[0].name == "frame"
            return [SimpleNamespace(ep_name=self._wanted[0 if network else 1], get_nodes=lambda: [NODE] * 3)]

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["TensorrtExecutionProvider", CUDA, CPU])
    monkeypatch.setattr(ort, "InferenceSession", OnBoth)
    with OoDMonitor(toy_bundle, providers=["tensorrt", "cuda"], self_test=False, require_provider=True) as monitor:
        assert monitor.provider == "TensorrtExecutionProvider"


class OnCuda:
    """A tensor in CUDA memory, as far as DLPack tells before it is handed over."""

    shape = (HEIGHT, WIDTH, 3)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, **options: Any) -> Any:
        return random_frames(1, 0)[0].__dlpack__()


def test_score_cuda_tensor_on_the_cpu_is_refused(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        with pytest.raises(FrameError, match="expected a frame in host memory, since CPUExecutionProvider runs"):
            monitor.score(OnCuda())
        with pytest.raises(FrameError, match="host memory"):
            monitor.assess(OnCuda())  # not a matter of what the camera sends
    with OoDMonitor(toy_bundle, channels="bgr") as monitor, pytest.raises(FrameError, match="turn its channels there"):
        monitor.score(OnCuda())


@no_cuda
def test_cuda_graphs_without_fixed_batch_or_with_fresh_masks_are_refused(
    make_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    graphs = [("cuda", {"enable_cuda_graph": "1"})]
    bundle = make_bundle(masks=toy_manifest()["masks"] | {"mode": "fresh"})
    with pytest.raises(ValueError, match="pass batch=1"):
        OoDMonitor(bundle, providers=graphs)
    with pytest.raises(BundleError, match="export with --masks fixed"):
        OoDMonitor(bundle, providers=graphs, batch=1)


def test_resolve_providers_short_names_become_full_names() -> None:
    options = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    assert resolve_providers([("cuda", options), "cpu", "XnnpackExecutionProvider"]) == [
        (CUDA, options),
        (CPU, {}),
        ("XnnpackExecutionProvider", {}),
    ]
    assert resolve_providers(None) == [(CPU, {})]
    wrongs: tuple[Any, ...] = ([(1, {})], [("cuda", "fast")])
    for wrong in wrongs:
        with pytest.raises(TypeError, match="expected a provider's name or"):
            resolve_providers(wrong)
    odd: list[tuple[list[Any], str]] = [
        ([("cpu", {"foo": 1})], "expected CPUExecutionProvider without options, of which it has none, got foo=1"),
        (["cuda", ("CUDAExecutionProvider", {"a": 1})], "expected each provider once, got CUDAExecutionProvider twice"),
    ]
    for providers, message in odd:
        with pytest.raises(ProviderError, match=message):
            resolve_providers(providers)
    assert [captures_graph((CUDA, {"enable_cuda_graph": value})) for value in ("1", 1, True, "0", False)] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert not captures_graph((CPU, {"enable_cuda_graph": "1"}))


def test_provider_of_another_precision_is_logged(make_bundle: Any, caplog: pytest.LogCaptureFixture) -> None:
    precision = {
        "kind": "fp16",
        "float_layers": [],
        "frames": 1,
        "flips": 0.0,
        "auroc_loss": 0.0,
        "pixel_changes": 0.0,
    }
    with OoDMonitor(make_bundle(precision=precision)) as monitor:
        assert monitor.provider == CPU
    assert f"a network in fp16 is made for {CUDA} or TensorrtExecutionProvider, {CPU} runs it slower" in caplog.text


@pytest.mark.parametrize(("version", "wrong"), [("1.24.1", True), ("1.26.9", True), ("1.27.0", False), ("2.0", False)])
def test_int8_on_a_release_that_rounds_it_wrongly_is_logged(
    make_bundle: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, version: str, wrong: bool
) -> None:
    precision = {
        "kind": "int8",
        "float_layers": [],
        "frames": 1,
        "flips": 0.0,
        "auroc_loss": 0.0,
        "pixel_changes": 0.0,
    }
    monkeypatch.setattr(ort, "__version__", version)
    with OoDMonitor(make_bundle(precision=precision)):
        pass
    said = f"ONNX Runtime {version} rounds int8 wrongly, the network runs in float32: for int8 kernels install 1.27 or newer"
    assert (said in caplog.text) == wrong == ("int8" in caplog.text)


@pytest.mark.parametrize(
    ("version", "disabled"),
    [
        ("1.24.1", "MatmulTransposeFusion;QDQSelectorActionTransformer"),
        ("1.26.0", "QDQSelectorActionTransformer"),
        ("1.27.0", None),
    ],
)
def test_session_options_switch_off_the_optimizers_that_a_release_has_wrong(
    monkeypatch: pytest.MonkeyPatch, version: str, disabled: str | None
) -> None:
    monkeypatch.setattr(ort, "__version__", version)
    options = session_options()
    if disabled is not None:
        assert options.get_session_config_entry("optimization.disable_specified_optimizers") == disabled
        return
    with pytest.raises(RuntimeError):
        options.get_session_config_entry("optimization.disable_specified_optimizers")


def test_self_test_on_an_old_onnx_runtime_reports_no_placement(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old(ort.InferenceSession):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name == "get_provider_graph_assignment_info":
                raise AttributeError(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(ort, "InferenceSession", Old)
    with OoDMonitor(toy_bundle) as monitor:
        result = monitor.self_test()
    assert result.passed
    assert result.placement == {}
    with pytest.raises(ProviderError, match="this ONNX Runtime does not report it: install a newer one"):
        OoDMonitor(toy_bundle, require_provider=True)


@pytest.mark.parametrize("count", [SORTED_FIRST - 1, SORTED_FIRST, 2 * SORTED_FIRST])
def test_host_pass_many_samples_are_sorted_for_the_detector(count: int) -> None:
    samples = np.random.default_rng(0).random((1, count, 3), np.float32)
    seen: list[Any] = []

    def graph(outputs: dict[str, Any], *results: Any) -> Any:
        def run(_: Any, feed: Any, *, give_back: bool, run_options: Any) -> list[Any]:
            assert not give_back
            seen.append(feed)
            return list(results)

        return SimpleNamespace(outputs=outputs, run=run, provider=CPU)

    host = HostPass(graph({"latent_samples": None}, samples), graph({"score": ("tensor(double)", ())}, np.zeros(1)))
    outcome = host.run(random_frames(1, 0), {})
    assert outcome.segmentation is None
    expected = np.sort(samples, axis=1) if count >= SORTED_FIRST else samples
    np.testing.assert_array_equal(seen[1]["latent_samples"], expected)


@pytest.mark.parametrize("count", [SORTED_FIRST - 1, SORTED_FIRST])
def test_host_pass_sorts_latent_samples_and_no_other_feature(tmp_path: Path, count: int) -> None:
    bundle = write_parts_bundle(tmp_path)
    (bundle / "segmentation.onnx").write_bytes(features_graph(latent=True, samples=count).SerializeToString())
    (bundle / "detector.onnx").write_bytes(parts_graph(latent=True, samples=count).SerializeToString())
    manifest = parts_manifest(latent=True)
    manifest["masks"]["count"] = count
    manifest["features"]["latent_samples"] = [count, 3]
    options = LoadOptions(providers=[(CPU, {})], self_test=False)
    host: Any = load_graphs(open_bundle(seal(bundle, manifest)), options).frame_pass
    fed: list[Any] = []
    frames, detect = random_frames(2, 0), host._detector.run
    _, samples, moments = host._network.run(["segmentation", "latent_samples", MOMENTS], {"frame": frames})

    def run(names: Any, feed: Any, **options: Any) -> Any:
        fed.append(feed)
        return detect(names, feed)

    host._detector.run = run
    host.run(frames, {})
    (feed,) = fed
    expected = np.sort(samples, axis=1) if count >= SORTED_FIRST else samples
    np.testing.assert_array_equal(feed["latent_samples"], expected)
    np.testing.assert_array_equal(feed[MOMENTS], moments)
    assert feed.keys() == {"latent_samples", MOMENTS}


def test_host_pass_first_smaller_batch_after_a_larger_one_gives_memory_back(toy_bundle: Path) -> None:
    host: Any = load_graphs(open_bundle(toy_bundle), LoadOptions(providers=[(CPU, {})], self_test=False)).frame_pass
    given_back: list[bool] = []
    for graph in (host._network, host._detector):
        original = graph.run

        def run(outputs: Any, feed: Any, *, give_back: bool, original: Any = original, **options: Any) -> Any:
            given_back.append(give_back)
            return original(outputs, feed, give_back=give_back, **options)

        graph.run = run
    expected = {batch: host.run(random_frames(batch, batch), {}).scores for batch in (1, 4)}
    given_back.clear()
    for batch in (4, 4, 1, 1, 4):
        np.testing.assert_array_equal(host.run(random_frames(batch, batch), {}).scores, expected[batch])
    assert given_back == [False] * 4 + [True] * 2 + [False] * 4


@pytest.mark.parametrize("command", ["score", "watch", "selftest"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--provider", "cpu:foo=1"], "expected CPUExecutionProvider without options"),
        (["--provider", "cpu", "--provider", "cpu"], "expected each provider once, got CPUExecutionProvider twice"),
        (["--provider", "cuda:a=1,a=2"], "expected each option once, got a twice in 'cuda:a=1,a=2'"),
    ],
)
def test_commands_refuse_options_that_onnx_runtime_would_leave_out(
    command: str, flags: list[str], message: str, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code: object = None
    (frame := toy_bundle.with_name("a.png")).touch()
    try:
        code = run([command, str(toy_bundle), *([str(frame)] if command != "selftest" else []), *flags])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", [True, False])
def test_register_library_that_is_none_names_it_once(missing: bool, tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    if not missing:
        library.write_text("no library, but long enough for the header of one, which it has not" * 9)
    with pytest.raises(ProviderError, match=r"expected the library of an execution provider, got ") as raised:
        register_library("mine", library)
    assert str(raised.value).count(str(library)) == 1
    assert "ONNXRuntimeError" not in str(raised.value)
