# SPDX-License-Identifier: Apache-2.0
"""The monitor against the same arithmetic in NumPy, and every way in which it refuses to run."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import BundleError, ClosedError, OoDMonitor, ProviderError, SelfTestError, State
from tests.lsood_runtime.conftest import (
    HEIGHT,
    WIDTH,
    detector_graph,
    random_frames,
    score_by_hand,
    seal,
    segmentation_graph,
    toy_manifest,
    toy_point,
    write_golden,
    write_toy_bundle,
)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_assess_any_frame_matches_numpy(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder, manifest = write_toy_bundle(tmp_path_factory.mktemp("monitor")), toy_manifest()
    with OoDMonitor(folder) as monitor:
        for frame in random_frames(5, seed):
            verdict, expected = monitor.assess(frame), score_by_hand(frame)
            assert monitor.score(frame) == verdict.score
            assert verdict.score == pytest.approx(expected, abs=1e-5)
            at_least_as_high = sum(score >= verdict.score for score in manifest["calibration"]["scores"])
            assert verdict.p_value == (1 + at_least_as_high) / 20
            assert verdict.is_ood == (verdict.score > manifest["operating_points"]["5%"]["value"])
            assert verdict.state is (State.OUT_OF_DISTRIBUTION if verdict.is_ood else State.OK)
            assert verdict.segmentation is not None
            assert verdict.segmentation.dtype == np.uint8
            np.testing.assert_array_equal(verdict.segmentation, frame.argmax(axis=2))
            assert verdict.latency_ms > 0


def test_p_value_tied_scores_count_as_at_least_as_high(toy_bundle: Path) -> None:
    frame = random_frames(1, seed=5)[0]
    with OoDMonitor(toy_bundle) as monitor:
        score = monitor.score(frame)
    manifest = toy_manifest()
    manifest["calibration"]["scores"] = [score - 1, score, score, score + 1]
    manifest["calibration"]["drives"] = {"noise": 4}
    manifest["operating_points"] = {"5%": toy_point(score, 0.5)}
    with OoDMonitor(seal(toy_bundle, manifest)) as monitor:
        verdict = monitor.assess(frame)
    assert verdict.p_value == (1 + 3) / 5
    assert not verdict.is_ood, "only a score above the threshold is out of distribution"


def test_operating_point_chosen_moves_only_the_threshold(toy_bundle: Path) -> None:
    points = toy_manifest()["operating_points"]
    frame = random_frames(1, seed=5)[0]
    with OoDMonitor(toy_bundle) as usual, OoDMonitor(toy_bundle, operating_point="half") as half:
        assert (usual.operating_point, half.operating_point) == ("5%", "half")
        assert (usual.threshold, half.threshold) == (points["5%"]["value"], points["half"]["value"])
        assert half.threshold < usual.threshold
        assert usual.assess(frame).p_value == half.assess(frame).p_value
        assert half.assess(frame).is_ood == (half.score(frame) > half.threshold)
    for wrong in ("strict", "", 5, ["5%"]):
        with pytest.raises(
            BundleError, match=rf"operating point of the bundle \(5%, half\), got {re.escape(repr(wrong))}"
        ):
            OoDMonitor(toy_bundle, operating_point=wrong)  # type: ignore[arg-type]  # what a configuration may hold


def test_assess_logits_or_no_segmentation_returns_that_output(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    frame = random_frames(1, seed=3)[0]
    with OoDMonitor(make_bundle("logits")) as monitor:
        logits = monitor.assess(frame).segmentation
    assert logits is not None
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, frame.transpose(2, 0, 1) / 255, rtol=1e-6)
    (tmp_path / "monitor" / "segmentation.onnx").write_bytes(segmentation_graph("none"))
    with OoDMonitor(seal(tmp_path / "monitor", toy_manifest("none"))) as monitor:
        verdict = monitor.assess(frame)
    assert verdict.segmentation is None
    assert verdict.score == pytest.approx(score_by_hand(frame), abs=1e-5)


def test_score_not_a_number_is_above_every_threshold(toy_bundle: Path) -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with np.errstate(all="ignore"):
        assert math.isnan(score_by_hand(black))
    with OoDMonitor(toy_bundle) as monitor:
        assert monitor.score(black) == math.inf
        verdict = monitor.assess(black)
    assert (verdict.state, verdict.is_ood, verdict.score) == (State.INVALID, True, math.inf)
    assert math.isnan(verdict.p_value)
    as_dict = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
    assert (as_dict["score"], as_dict["p_value"], as_dict["state"]) == (None, None, "invalid")


def test_assessment_printed_is_one_line_and_immutable(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(random_frames(1, seed=3)[0])
    assert "\n" not in str(verdict)
    assert f"{verdict.score:.3f}" in str(verdict)
    assert "segmentation" not in verdict.asdict()
    with pytest.raises(AttributeError):
        verdict.score = 0.0  # type: ignore[misc]


def test_score_any_order_thread_and_process_has_the_same_bits(toy_bundle: Path, tmp_path: Path) -> None:
    frames = random_frames(8, seed=11)
    with OoDMonitor(toy_bundle) as monitor:
        forwards = [monitor.score(frame).hex() for frame in frames]
        backwards = [monitor.score(frame).hex() for frame in frames[::-1]][::-1]
        with ThreadPoolExecutor(4) as pool:
            threaded = [score.hex() for score in pool.map(monitor.score, frames)]
    np.save(tmp_path / "frames.npy", frames)
    script = (
        "import sys, numpy, lsood_runtime; monitor = lsood_runtime.OoDMonitor(sys.argv[1]);"
        "print(*[monitor.score(frame).hex() for frame in numpy.load(sys.argv[2])[::-1]])"
    )
    command = [sys.executable, "-c", script, str(toy_bundle), str(tmp_path / "frames.npy")]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[::-1]
    assert forwards == backwards == threaded == elsewhere


def test_score_views_are_not_modified_and_score_like_copies(toy_bundle: Path) -> None:
    wide = np.random.default_rng(0).integers(1, 256, (HEIGHT, 2 * WIDTH, 3), dtype=np.uint8)
    wide.setflags(write=False)
    view = wide[:, ::2, ::-1]
    before = view.copy()
    with OoDMonitor(toy_bundle) as monitor:
        assert monitor.score(view) == monitor.score(before)
    np.testing.assert_array_equal(view, before)


def test_monitor_opened_shows_its_properties_and_takes_threads(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle, threads=1) as monitor:
        assert (
            monitor.threshold == toy_manifest()["operating_points"]["5%"]["value"] == monitor.manifest.threshold.value
        )
        assert monitor.provider == "CPUExecutionProvider"
    with pytest.raises(ValueError, match="expected at least one thread, got 0"):
        OoDMonitor(toy_bundle, threads=0)


def test_monitor_printed_names_bundle_provider_and_threshold(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        name, threshold = monitor.manifest.name, monitor.threshold
        assert repr(monitor) == f"OoDMonitor({name!r}, CPUExecutionProvider, 5% above {threshold:.6g})"
    assert repr(monitor) == f"OoDMonitor({name!r}, closed, 5% above {threshold:.6g})"


def test_monitor_closed_closes_again_but_refuses_frames(toy_bundle: Path) -> None:
    monitor = OoDMonitor(toy_bundle)
    with monitor as same:
        assert same is monitor
    monitor.close()
    with pytest.raises(ClosedError, match="was closed: make a new OoDMonitor"):
        monitor.score(random_frames(1, 0)[0])
    with pytest.raises(RuntimeError):
        monitor.assess(random_frames(1, 0)[0])


def test_self_test_other_golden_score_refuses_the_bundle_unless_switched_off(toy_bundle: Path) -> None:
    frames = random_frames(2, seed=2)
    scores = [score_by_hand(frames[0]), score_by_hand(frames[1]) + 2e-4]
    write_golden(toy_bundle, frames, scores)
    seal(toy_bundle, toy_manifest())
    with pytest.raises(SelfTestError, match=r"golden frame 1 to score .* within 0\.0001, got .* on CPU"):
        OoDMonitor(toy_bundle)
    OoDMonitor(toy_bundle, self_test=False).close()
    seal(toy_bundle, toy_manifest() | {"golden": {"tolerance": {"cpu": 1e-3, "gpu": 0.0}}})
    OoDMonitor(toy_bundle).close()


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is there")
@pytest.mark.parametrize("wanted", ["cuda", "CUDAExecutionProvider", ("cuda", {"device_id": 0})])
def test_provider_not_installed_raises(toy_bundle: Path, wanted: Any) -> None:
    with pytest.raises(ProviderError, match="got CUDAExecutionProvider: install lsood-runtime with the extra gpu"):
        OoDMonitor(toy_bundle, providers=[wanted, "cpu"])


def test_provider_unknown_or_no_list_raises(toy_bundle: Path) -> None:
    with pytest.raises(ProviderError, match="got gpu: check its name"):
        OoDMonitor(toy_bundle, providers=["gpu"])
    with pytest.raises(TypeError, match=r"pass \['cpu'\]"):
        OoDMonitor(toy_bundle, providers="cpu")


def test_provider_dropped_by_onnx_runtime_raises(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing CUDA libraries look like this: the package lists the provider, the session runs without it."""

    class Dropping(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, *args: Any, providers: Any, **options: Any) -> None:
            assert providers[0][0] == "CUDAExecutionProvider"
            super().__init__(*args, providers=["CPUExecutionProvider"], **options)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", Dropping)
    with pytest.raises(
        ProviderError, match=r"expected CUDAExecutionProvider to run segmentation\.onnx, this session has"
    ):
        OoDMonitor(toy_bundle, providers=["cuda"])


def test_provider_unable_to_load_a_graph_is_named(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime's own way is to print and to go on with the CPU."""

    class Failing(ort.InferenceSession):  # type: ignore[misc]
        def _create_inference_session(self, providers: Any, *rest: Any) -> None:
            if providers and providers[0][0] == "CUDAExecutionProvider":
                raise RuntimeError("no driver")
            super()._create_inference_session(providers, *rest)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", Failing)
    with pytest.raises(ProviderError, match=r"CUDAExecutionProvider cannot load segmentation\.onnx: no driver"):
        OoDMonitor(toy_bundle, providers=["cuda"])
    assert capfd.readouterr().out == ""


def test_score_failure_inside_onnx_runtime_is_a_provider_error(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("device\nlost")

    with OoDMonitor(toy_bundle) as monitor:
        monkeypatch.setattr(ort.InferenceSession, "run", fail)
        with pytest.raises(ProviderError, match=r"CPUExecutionProvider failed while it ran .*: device lost"):
            monitor.score(random_frames(1, 0)[0])


@pytest.mark.parametrize(
    ("section", "change", "file"),
    [
        ("features", {"latent_samples": [5, 3]}, "segmentation.onnx with the outputs"),
        ("features", {"latent_samples": [4, 4]}, "segmentation.onnx with the outputs"),
        ("segmentation", {"kind": "logits"}, "segmentation.onnx with the outputs"),
        ("segmentation", {"height": 7}, "segmentation.onnx with the outputs"),
    ],
)
def test_graph_other_than_the_manifest_states_is_refused(
    make_bundle: Callable[..., Path], section: str, change: dict[str, Any], file: str
) -> None:
    fields = {section: toy_manifest()[section] | change}
    if section == "features":
        count, channels = change["latent_samples"]
        fields |= {"masks": toy_manifest()["masks"] | {"count": count}, "tap": {"layers": ["a"], "channels": channels}}
    bundle = make_bundle(**fields)
    with pytest.raises(BundleError, match=f"expected {file}.*got.*: export the bundle again"):
        OoDMonitor(bundle)


def test_bundle_graph_file_without_a_graph_is_refused(toy_bundle: Path) -> None:
    for contents in (b"", b"no graph", detector_graph()[:-40]):
        (toy_bundle / "detector.onnx").write_bytes(contents)
        with pytest.raises(BundleError, match=r"cannot load detector\.onnx") as caught:
            OoDMonitor(seal(toy_bundle, toy_manifest()))
        assert "\n" not in str(caught.value)
