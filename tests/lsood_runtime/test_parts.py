# SPDX-License-Identifier: Apache-2.0
"""A score that is the sum of parts: its shares against NumPy; a part that is not finite is never in distribution."""

import copy
import dataclasses
import json
import math
import pickle
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import BundleError, KOfN, OoDMonitor, ProviderError, SelfTestError, State
from lsood_runtime._parts import Parts
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal, toy_manifest, toy_point, write_golden
from tests.lsood_runtime.parts_bundle import (
    BROKEN,
    MOMENTS,
    PARTS,
    features_graph,
    frame_breaking,
    parts_by_hand,
    parts_graph,
    parts_manifest,
    write_parts_bundle,
)

COMBINATIONS = [broken for count in (1, 2) for broken in combinations(PARTS, count)]


@pytest.fixture(scope="module", params=[False, True], ids=["features", "features-and-samples"])
def latent(request: pytest.FixtureRequest) -> bool:
    """Whether the detector reads latent samples as well."""
    return bool(request.param)


@pytest.fixture(scope="module")
def monitor(latent: bool, tmp_path_factory: pytest.TempPathFactory) -> OoDMonitor:
    return OoDMonitor(write_parts_bundle(tmp_path_factory.mktemp("parts"), latent))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_assess_any_frame_gives_the_shares_of_numpy(monitor: OoDMonitor, latent: bool, seed: int) -> None:
    for frame in random_frames(3, seed):
        verdict, expected = monitor.assess(frame), parts_by_hand(frame, latent)
        assert list(verdict.parts) == list(expected)
        assert verdict.parts == pytest.approx(expected, abs=1e-5)
        assert verdict.score == pytest.approx(sum(verdict.parts.values()), abs=1e-12)
        assert verdict.score == monitor.score(frame) == monitor.score_batch([frame])[0]
        assert verdict.segmentation is not None
        np.testing.assert_array_equal(verdict.segmentation, frame.argmax(axis=2))


def test_assess_above_the_threshold_names_the_largest_part(monitor: OoDMonitor) -> None:
    frame = random_frames(1, seed=1)[0]
    frame[..., 1] //= 8
    verdict = monitor.assess(frame)
    assert verdict.state is State.OUT_OF_DISTRIBUTION
    assert max(verdict.parts, key=lambda name: verdict.parts[name]) == "inverse"
    assert f"the largest part is inverse with {verdict.parts['inverse']:.3g}" in verdict.reason


@pytest.mark.parametrize("swallowed", [False, True], ids=["in-the-score", "swallowed"])
@pytest.mark.parametrize("broken", COMBINATIONS, ids="-".join)
def test_assess_part_not_finite_is_invalid_and_named(tmp_path: Path, broken: tuple[str, ...], swallowed: bool) -> None:
    frame, sound = frame_breaking(*broken), random_frames(1, seed=1)[0]
    calibration = parts_manifest()["calibration"]
    calibration["scores"][-1] = 100.0
    high = {"operating_points": {"5%": toy_point(100.0, 0.05)}, "calibration": calibration}
    with OoDMonitor(write_parts_bundle(tmp_path, swallowed=swallowed, **high)) as monitor:
        raw = monitor._scorer.run(frame[None])
        assert (raw.scores[0] < 100) == (swallowed or broken == ("logarithm",)), "by its score the frame would pass"
        verdict, scores = monitor.assess(frame), monitor.score_batch([sound, frame, sound])
        assert monitor.score(frame) == math.inf
        assert (math.isfinite(scores[0]), scores[1]) == (True, math.inf)
        assert scores[2] == scores[0] == pytest.approx(monitor.score(sound), abs=1e-5)
    assert (verdict.state, verdict.is_ood, verdict.score) == (State.INVALID, True, math.inf)
    assert math.isnan(verdict.p_value)
    for name in PARTS:
        assert (f"{BROKEN[name]} for {name}" in verdict.reason) == (name in broken)
        assert math.isfinite(verdict.parts[name]) == (name not in broken)
    as_dict = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
    assert {name for name, share in as_dict["parts"].items() if share is None} == set(broken)
    assert as_dict["score"] is None


@pytest.mark.parametrize("broken", PARTS)
def test_assess_unchecked_frame_with_a_part_not_finite_is_invalid(tmp_path: Path, broken: str) -> None:
    bundle = write_parts_bundle(tmp_path, swallowed=True)
    with OoDMonitor(bundle, validate=False, self_test=False, deadline_ms=1e-6) as monitor:
        verdict = monitor.stream(KOfN(1, 1)).assess(frame_breaking(broken))
    assert verdict.verdict.state is State.INVALID
    assert broken in verdict.verdict.reason
    assert verdict.alarm


def test_assess_sum_that_overflows_is_invalid_with_finite_parts(tmp_path: Path) -> None:
    bundle, frame = write_parts_bundle(tmp_path), np.full((HEIGHT, WIDTH, 3), 240, np.uint8)
    frame[::2] -= 1
    (bundle / "detector.onnx").write_bytes(parts_graph(factor=1e308).SerializeToString())
    with OoDMonitor(seal(bundle, parts_manifest()), self_test=False) as monitor:
        verdict = monitor.assess(frame)
    assert np.isfinite(list(verdict.parts.values())).all()
    assert (verdict.state, verdict.score) == (State.INVALID, math.inf)
    assert "expected a finite score, got none" in verdict.reason


def test_assess_frame_that_never_ran_has_no_number_for_each_part(monitor: OoDMonitor, latent: bool) -> None:
    verdict = monitor.assess(None)
    names = ["entropies", *PARTS] if latent else [*PARTS]
    assert list(verdict.parts) == names
    assert all(math.isnan(share) for share in verdict.parts.values())
    assert verdict.asdict()["parts"] == dict.fromkeys(names)
    assert "rows" in verdict.reason or "object" in verdict.reason, "the frame is at fault, not a part"


def test_assess_detector_of_one_part_has_no_parts(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        verdict = monitor.assess(random_frames(1, 5)[0])
    assert verdict.parts == {}
    assert verdict.asdict()["parts"] == {}
    assert "part" not in verdict.reason


def test_assessment_with_parts_is_immutable_and_copied_whole(monitor: OoDMonitor) -> None:
    verdict = monitor.assess(random_frames(1, 5)[0])
    with pytest.raises(TypeError):
        verdict.parts["root"] = 0.0  # type: ignore[index]
    for twin in (pickle.loads(pickle.dumps(verdict)), copy.deepcopy(verdict), dataclasses.replace(verdict)):
        assert twin.parts == verdict.parts
        assert list(twin.parts) == list(verdict.parts)
        assert twin.score == verdict.score
    assert dataclasses.asdict(verdict)["parts"] == verdict.parts


def test_parts_any_shares_are_a_mapping_of_their_own() -> None:
    shares = {"a": 1.0, "b": -2.0}
    parts = Parts(shares)
    shares["a"] = 3.0
    assert parts == {"a": 1.0, "b": -2.0}
    assert hash(parts) == hash(Parts({"b": -2.0, "a": 1.0}))
    assert (len(parts), "a" in parts, "c" in parts) == (2, True, False)
    assert repr(parts) == "Parts({'a': 1.0, 'b': -2.0})"


def test_stream_verdict_of_a_frozen_camera_keeps_its_parts(monitor: OoDMonitor) -> None:
    stream, frame = monitor.stream(KOfN(2, 2), frozen_after_s=0.2), random_frames(1, 5)[0]
    first, *_, last = [stream.assess(frame, stamp_ns=i * 100_000_000) for i in range(3)]
    assert last.verdict.state is State.INVALID
    assert last.verdict.parts == first.verdict.parts
    assert last.asdict()["parts"] == dict(first.verdict.parts)


def test_self_test_golden_frame_with_a_part_not_finite_fails(tmp_path: Path) -> None:
    """Its score is that of export, since both leave the part out: the monitor must not be relied on for that."""
    bundle = write_parts_bundle(tmp_path, swallowed=True)
    frames = np.stack([random_frames(1, seed=2)[0], frame_breaking("root")])
    shares = [parts_by_hand(frames[0]), {name: parts_by_hand(frames[1])[name] for name in ("logarithm", "inverse")}]
    write_golden(bundle, frames, [sum(share.values()) for share in shares])
    seal(bundle, parts_manifest())
    with pytest.raises(SelfTestError, match=r"expected golden frame 1 to score .*, got nan"):
        OoDMonitor(bundle)
    with OoDMonitor(bundle, self_test=False) as monitor:
        result = monitor.self_test()
    assert not result.passed
    assert math.isfinite(result.scores[0])


@pytest.mark.parametrize("batch", [None, 3])
def test_self_test_score_that_leaves_a_part_out_fails(tmp_path: Path, batch: int | None) -> None:
    """The golden frames get their scores of export back, since the exporter's graph was wrong already."""
    bundle, frames = write_parts_bundle(tmp_path), random_frames(2, seed=2)
    (bundle / "detector.onnx").write_bytes(parts_graph(left_out="inverse").SerializeToString())
    shares = [parts_by_hand(frame) for frame in frames]
    write_golden(bundle, frames, [share["logarithm"] + share["root"] for share in shares])
    seal(bundle, parts_manifest())
    with pytest.raises(SelfTestError, match=r"expected golden frame 0 to score .*, got nan"):
        OoDMonitor(bundle, batch=batch)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_self_test_parts_of_any_size_add_up(tmp_path: Path, factor: float) -> None:
    bundle, frames = write_parts_bundle(tmp_path), random_frames(2, seed=2)
    (bundle / "detector.onnx").write_bytes(parts_graph(factor=factor).SerializeToString())
    write_golden(bundle, frames, [factor * sum(parts_by_hand(frame).values()) for frame in frames])
    manifest = parts_manifest(golden={"tolerance": {"cpu": 1e-4 * factor, "gpu": 0.0}})
    scores = [factor * score for score in manifest["calibration"]["scores"]]
    manifest["calibration"]["scores"] = scores
    manifest["operating_points"] = {"5%": toy_point(scores[-1], 0.05)}
    with OoDMonitor(seal(bundle, manifest)) as monitor:
        assert monitor.self_test().passed


@pytest.mark.parametrize("count", [2, 4])
def test_graph_with_another_number_of_parts_than_the_manifest_is_refused(tmp_path: Path, count: int) -> None:
    manifest = parts_manifest()
    parts = manifest["detector"]["parts"]
    manifest["detector"]["parts"] = [*parts, parts[0] | {"name": "another"}][:count]
    bundle = seal(write_parts_bundle(tmp_path), manifest)
    with pytest.raises(BundleError, match=rf"expected detector.onnx with the outputs .*'batch', {count}\)"):
        OoDMonitor(bundle)
    model = parts_graph(open_size=True)  # a graph that does not say how many it gives
    (bundle / "detector.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ProviderError, match=rf"expected parts of shape \(1, {count}\), detector.onnx gave \(1, 3\)"):
        OoDMonitor(seal(bundle, manifest))
    with OoDMonitor(bundle, self_test=False) as monitor, pytest.raises(ProviderError, match="export the bundle again"):
        monitor.assess(random_frames(1, 1)[0])


def test_graph_with_parts_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    manifest = parts_manifest()
    manifest["detector"]["parts"] = []
    with pytest.raises(BundleError, match=r"expected detector\.onnx with the outputs"):
        OoDMonitor(seal(write_parts_bundle(tmp_path), manifest))


def test_graph_without_the_parts_of_the_manifest_is_refused(toy_bundle: Path) -> None:
    manifest = toy_manifest()
    part = {"name": "a", "features": ["entropy"], "kind": "kde", "centre": 0.0, "scale": 1.0, "weight": 1.0}
    manifest["detector"]["parts"] = [part]
    with pytest.raises(BundleError, match=r"expected detector\.onnx with the outputs"):
        OoDMonitor(seal(toy_bundle, manifest))


@pytest.mark.parametrize(
    ("features", "file"),
    [
        ({MOMENTS: [4]}, "segmentation.onnx"),
        ({MOMENTS: [3, 1]}, "segmentation.onnx"),
        ({"moments/other": [3]}, "segmentation.onnx"),
        ({MOMENTS: [3], "energy/mean": [1]}, "segmentation.onnx"),
        ({"latent_samples": [4, 3], MOMENTS: [3]}, "segmentation.onnx"),
    ],
)
def test_graph_with_other_features_than_the_manifest_is_refused(
    tmp_path: Path, features: dict[str, list[int]], file: str
) -> None:
    manifest = parts_manifest(features=features)
    for part in manifest["detector"]["parts"]:
        part["features"] = [name for name in features if name != "latent_samples"][:1]
    with pytest.raises(BundleError, match=f"expected {file} with the outputs"):
        OoDMonitor(seal(write_parts_bundle(tmp_path), manifest))


def test_graph_detector_without_a_feature_of_the_manifest_is_refused(tmp_path: Path) -> None:
    bundle = write_parts_bundle(tmp_path)
    (bundle / "segmentation.onnx").write_bytes(features_graph(latent=True).SerializeToString())
    manifest = parts_manifest(features={"latent_samples": [4, 3], MOMENTS: [3]})
    with pytest.raises(BundleError, match=r"expected detector\.onnx with the inputs"):
        OoDMonitor(seal(bundle, manifest))


def test_batch_of_many_frames_keeps_each_part_with_its_frame(tmp_path: Path) -> None:
    frames = random_frames(7, seed=8)
    with OoDMonitor(write_parts_bundle(tmp_path)) as monitor:
        scores = monitor.score_batch(frames)
        outcome = monitor._scorer.run(frames)
    assert outcome.parts is not None
    expected = [list(parts_by_hand(frame).values()) for frame in frames]
    np.testing.assert_allclose(scores, np.sum(expected, axis=1), atol=1e-5)
    np.testing.assert_allclose(outcome.parts, expected, atol=1e-5)
