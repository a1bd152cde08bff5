# SPDX-License-Identifier: Apache-2.0
"""``lsood certify``: a provider that changes nothing passes, one that changes numbers is found out to the digit."""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from PIL import Image
from scipy.stats import beta

from lsood_runtime import OoDMonitor
from lsood_runtime._certificate.certificate import Certificate
from lsood_runtime._certificate.read_certificate import read_certificate
from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.certificate.altered_provider import OPENVINO, stand_in
from tests.lsood_runtime.conftest import (
    HEIGHT,
    noise_graph,
    random_frames,
    score_by_hand,
    segmentation_graph,
    toy_manifest,
    write_noise_bundle,
)
from tests.paths import ROOT

FRAMES = 12
QUICK = ("--rounds", "2")


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "drive"
    folder.mkdir()
    for i, frame in enumerate(random_frames(FRAMES, seed=3)):
        Image.fromarray(frame).save(folder / f"{i:02d}.png")
    return folder


def certified(bundle: Path, drive: Path, out: Path, provider: str, *more: str, code: int = 0) -> dict[str, Any]:
    words = ["certify", str(bundle), "--provider", provider, "--frames", str(drive), "--out", str(out), *QUICK, *more]
    assert run(words) == code
    document: dict[str, Any] = json.loads(out.read_text())
    return document


@pytest.mark.parametrize("kind", ["classes", "logits", "none"])
def test_certify_the_cpu_against_itself_changes_nothing(
    kind: str, make_bundle: Callable[..., Path], drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(kind)
    found = certified(bundle, drive, tmp_path / "c.json", "cpu", "--require-provider")
    text = capsys.readouterr().out
    bound = beta.ppf(0.95, 1, FRAMES)
    assert text.splitlines()[-1] == (
        f"passed; {FRAMES} frames exclude, with 95% confidence, that more than {bound:.2%} of such frames are decided "
        "otherwise"
    )
    assert found["decisions"]["at_most"] == pytest.approx(bound)
    assert read_certificate(tmp_path / "c.json").to_json() == (tmp_path / "c.json").read_text()
    assert re.search(
        rf"^decisions flipped +0 \(0\.00%; 0\.00% to {beta.ppf(0.975, 1, FRAMES):.2%}\)$", text, re.MULTILINE
    )
    assert found["passed"]
    assert found["failures"] == []
    assert found["frames"] == {
        "count": FRAMES,
        "sha256": hashlib.sha256(random_frames(FRAMES, seed=3).tobytes()).hexdigest(),
    }
    assert found["decisions"]["flipped"] == 0
    assert {value["largest"] for value in found["differences"].values()} == {0.0}
    assert found["differences"].keys() >= {"score", "p_value"}
    changes = None if kind == "none" else {"frames": FRAMES, "changed_pixels": 0, "largest_of_a_frame": 0, "frame": ""}
    assert found["class_maps"] == changes
    assert found["bundle"]["manifest_sha256"] == hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    assert found["provider"]["every_node"]
    assert found["latency"]["provider_over_network"] is found["latency"]["network_ms"] is None
    ratio = found["latency"]["provider_over_cpu"]
    assert (ratio["low"], ratio["high"]) == (None, None), "two rounds tell no interval"
    assert "(too few rounds for an interval)" in text
    assert 0 < found["memory"]["provider_mb"] <= found["memory"]["both_mb"]


def test_certify_noise_that_is_an_input_is_the_same_for_both(drive: Path, tmp_path: Path) -> None:
    (tmp_path / "noisy").mkdir()
    found = certified(write_noise_bundle(tmp_path / "noisy"), drive, tmp_path / "c.json", "cpu")
    assert found["differences"]["score"]["largest"] == 0


def test_certify_counts_flips_and_pixels_of_a_provider_that_changes_them(
    toy_bundle: Path,
    drive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = [score_by_hand(frame) for frame in random_frames(FRAMES, seed=3)]
    threshold = toy_manifest()["operating_points"]["5%"]["value"]
    shift = float(threshold - np.median(scores))
    flipped = [i for i, score in enumerate(scores) if score <= threshold < score + shift]
    assert 0 < len(flipped) < FRAMES

    def change(name: str, value: Any) -> Any:
        if name == "segmentation":
            value[:, :1] = (value[:, :1] + 1) % 3
        return value + shift if name == "score" else value

    stand_in(monkeypatch, change)
    out = tmp_path / "c.json"
    found = certified(toy_bundle, drive, out, "openvino:precision=FP16", code=1)
    decisions, count = found["decisions"], len(flipped)
    assert decisions["flipped"] == count
    assert [Path(flip["frame"]).stem for flip in decisions["frames"]] == [f"{i:02d}" for i in flipped]
    assert {(flip["cpu_state"], flip["state"]) for flip in decisions["frames"]} == {("ok", "out_of_distribution")}
    assert (decisions["low"], decisions["high"]) == pytest.approx(
        (beta.ppf(0.025, count, FRAMES - count + 1), beta.ppf(0.975, count + 1, FRAMES - count))
    )
    assert found["differences"]["score"]["largest"] == pytest.approx(shift)
    assert found["class_maps"]["changed_pixels"] == pytest.approx(1 / HEIGHT)
    assert found["class_maps"]["largest_of_a_frame"] == pytest.approx(1 / HEIGHT)
    assert not found["golden"]["passed"]
    assert found["golden"]["score"]["largest"] == pytest.approx(shift, abs=1e-4)
    assert found["provider"]["name"] == OPENVINO
    assert found["provider"]["options"] == {"precision": "FP16"}
    assert found["provider"]["nodes"].keys() == {OPENVINO}
    assert len(found["failures"]) == 3
    text = capsys.readouterr().out
    assert text.splitlines()[-3:] == [f"FAILED: {words}" for words in found["failures"]]
    assert f"{count} of {FRAMES} frames decided otherwise than on the CPU provider, at most 0.00% may be" in text
    limits = ("--max-flips", "1", "--max-pixel-changes", "0.5")
    found = certified(toy_bundle, drive, out, "openvino", *limits, code=1)
    assert found["failures"] == ["the golden frames do not get their scores, classes and answers back"]


def test_certify_finds_the_largest_difference_of_every_answer(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifts = {"severity": 0.25, "quality": 0.01, "tiles": 0.125, "anomaly_map": 0.5, "class_confidence": 0.0625}
    stand_in(monkeypatch, lambda name, value: value + np.asarray(shifts.get(name, 0), value.dtype))
    (tmp_path / "answers").mkdir()
    bundle = write_answers_bundle(tmp_path / "answers", tiles=True, with_map=True, confidence=True)
    found = certified(bundle, drive, tmp_path / "c.json", "openvino", code=1)
    largest = {name: value["largest"] for name, value in found["differences"].items()}
    assert largest["expected_quality"] == pytest.approx(0.01)
    assert largest["severity"] in (pytest.approx(0.25), 0.0)  # 0 where every cause is unknown
    assert largest["tile_values"] > 0
    assert largest["anomaly_map"] == pytest.approx(0.5)
    assert largest["class_confidence"] > 0
    assert largest["score"] == 0
    changed = found["changed_words"]
    assert changed["cause"] == changed["cause_set"] == 0
    assert changed["tiles"] > 0, "an eighth more is above the limit of some tiles"
    assert changed["object_count"] > 0, "half a unit more is above the limit"
    objects = found["objects"]
    with OoDMonitor(bundle, providers=["cpu"]) as cpu:
        expected = sum(len(cpu.assess(frame).objects) for frame in random_frames(FRAMES, seed=3))
    assert objects["cpu"] == expected
    assert objects["provider"] > expected
    assert objects["without_partner"] >= objects["provider"] - expected


def test_certify_number_that_one_provider_alone_gives_fails(
    toy_bundle: Path, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, lambda name, value: value * math.nan if name == "score" else value)
    found = certified(toy_bundle, drive, tmp_path / "c.json", "openvino", "--max-flips", "1", code=1)
    assert found["differences"]["score"] == {"largest": 0.0, "frame": "", "unlike": FRAMES}
    assert found["golden"]["score"]["largest"] is None
    assert "numbers are known on one provider alone: score, p_value" in found["failures"]
    assert {flip["score"] for flip in found["decisions"]["frames"]} == {None}


def test_certify_times_the_bare_network_beside(
    toy_bundle: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / "network.onnx"
    network.write_bytes(segmentation_graph("classes"))
    out = tmp_path / "c.json"
    found = certified(toy_bundle, drive, out, "cpu", "--network", str(network), "--threads", "1")
    assert set(found["latency"]) >= {"network_ms", "provider_ms", "cpu_ms"}
    assert found["latency"]["provider_over_network"]["median"] > 0
    assert "provider / network" in capsys.readouterr().out
    words = ["certify", str(toy_bundle), "--provider", "cpu", "--frames", str(drive), *QUICK, "--network", str(network)]
    for contents, message in (
        (b"no network", f"expected an ONNX network in {network}: CPUExecutionProvider cannot load network.onnx: "),
        (noise_graph(), "expected a network of one input of images, got frame tensor(uint8), noise_0 tensor(float)"),
        (None, f"expected the ONNX file of a network, got {network}, which is none"),
    ):
        network.unlink()
        if contents is not None:
            network.write_bytes(contents)
        assert run(words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count(str(network)) == 1


def test_certify_times_a_network_whose_weights_lie_beside_it(toy_bundle: Path, drive: Path, tmp_path: Path) -> None:
    network = onnx.load_from_string(segmentation_graph("classes"))
    (tmp_path / "net").mkdir()
    path = tmp_path / "net" / "network.onnx"
    onnx.save(network, path, save_as_external_data=True, location="network.data", size_threshold=100)
    assert (tmp_path / "net" / "network.data").stat().st_size > 0
    found = certified(toy_bundle, drive, tmp_path / "c.json", "cpu", "--network", str(path))
    assert found["latency"]["network_ms"]["p50"] > 0


def test_certify_network_that_the_provider_alone_cannot_run_is_the_providers_fault(
    toy_bundle: Path,
    drive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(monkeypatch)
    network, plain = tmp_path / "network.onnx", ort.InferenceSession
    network.write_bytes(segmentation_graph("classes"))

    def refuse(model: Any, *arguments: Any, providers: Any, **options: Any) -> Any:
        if isinstance(model, str) and providers[0][0] == OPENVINO:
            raise RuntimeError("no such device")
        return plain(model, *arguments, providers=providers, **options)

    monkeypatch.setattr(ort, "InferenceSession", refuse)
    words = ["certify", str(toy_bundle), "--provider", "openvino", "--frames", str(drive), *QUICK]
    assert run([*words, "--network", str(network)]) == 2
    assert f"error: {OPENVINO} cannot load network.onnx: no such device" in capsys.readouterr().err
    network.write_bytes(b"no network")
    assert run([*words, "--network", str(network)]) == 2
    assert f"expected an ONNX network in {network}" in capsys.readouterr().err


def test_certify_frame_that_cannot_be_read_is_named_and_the_others_are_compared(
    toy_bundle: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drive / "05.png").write_bytes(b"no picture")
    found = certified(toy_bundle, drive, tmp_path / "c.json", "cpu", code=2)
    assert found["frames"]["count"] == FRAMES - 1
    assert "05.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["BUNDLE", "--frames", "DRIVE"], "expected --provider, got none"),
        (["BUNDLE", "--provider", "cpu"], "expected --frames, got none"),
        (["--provider", "cpu", "--frames", "DRIVE"], "expected BUNDLE, got none"),
        (["BUNDLE", "--compare", "a.json", "b.json"], "alone behind --compare, got BUNDLE as well"),
        (["--compare", "a.json", "b.json", "--json", "--max-flips", "0.1"], "got --json, --max-flips as well"),
        (
            ["BUNDLE", "--provider", "cpu", "--frames", "DRIVE", "--max-flips", "2"],
            "expected a share from 0 to 1, got '2'",
        ),
        (["BUNDLE", "--provider", "qnn", "--frames", "DRIVE"], "got QNNExecutionProvider: register the library"),
        (
            ["BUNDLE", "--provider", "cpu", "--frames", "DRIVE", "--rounds", "100001"],
            "expected a whole number from 1 to 100000, got '100001'",
        ),
        (
            ["BUNDLE", "--provider", "cpu:foo=1", "--frames", "DRIVE"],
            "expected CPUExecutionProvider without options, of which it has none, got foo=1: leave them out",
        ),
        (["BUNDLE", "--max", "1"], "unrecognized arguments: --max 1: did you mean --max-flips or --max-pixel-changes?"),
        (["BUNDLE", "--provider", "cpu", "--frames", "DRIVE", "--out", "none/c.json"], "expected the folder"),
        (["BUNDLE", "--provider", "cpu", "--frames", "DRIVE/nothing.png"], "nothing.png"),
        (
            ["--compare", "a.json", "b.json"],
            "expected a certificate, cannot read a.json: No such file or directory; check its path\n",
        ),
        (
            ["--compare", "pipe.json", "pipe.json"],
            "cannot read pipe.json: a pipe, a socket or a device, no file; check",
        ),
        (
            ["--compare", "BUNDLE/manifest.json", "b.json"],
            "expected a certificate, as lsood certify writes it, got MONITOR/manifest.json, which is another document",
        ),
    ],
)
def test_certify_bad_usage_is_refused_and_nothing_written(
    words: list[str],
    message: str,
    toy_bundle: Path,
    drive: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.json")
    before = sorted(tmp_path.rglob("*"))
    words = [word.replace("BUNDLE", str(toy_bundle)).replace("DRIVE", str(drive)) for word in words]
    code: object = None
    try:
        code = run(["certify", *words])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert message.replace("MONITOR", str(toy_bundle)) in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_certify_bundle_with_fresh_masks_is_refused(
    make_bundle: Callable[..., Path], drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(masks=toy_manifest()["masks"] | {"mode": "fresh"})
    assert run(["certify", str(bundle), "--provider", "cpu", "--frames", str(drive)]) == 2
    assert "export with --masks fixed" in capsys.readouterr().err


def test_compare_tells_which_of_two_certificates_is_worse(
    toy_bundle: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    certificate = certified(toy_bundle, drive, first, "cpu")
    capsys.readouterr()

    def compared(**changes: Any) -> int:
        second.write_text(json.dumps(certificate | changes))
        return run(["certify", "--compare", str(first), str(second)])

    assert compared() == 0
    text = capsys.readouterr().out
    assert text.endswith("\nthe second is no worse\n")
    line = next(line for line in text.splitlines() if line.startswith("frames compared"))
    assert line.split() == ["frames", "compared", str(FRAMES), str(FRAMES)]
    flip = {"frame": "a", "cpu_state": "ok", "state": "late", "cpu_score": 1.0, "score": None}
    flipped = {"flipped": 3, "share": 0.25, "frames": [flip] * 3, "high": 0.6, "at_most": 0.5}
    for changes, words in (
        ({"passed": False, "failures": ["a check"]}, "it fails a check that the first one passes"),
        (
            {"decisions": certificate["decisions"] | flipped},
            "25.00% of the frames are decided otherwise, 0.00%",
        ),
        ({"class_maps": None}, "it has no class maps, the first one has"),
        (
            {
                "class_maps": certificate["class_maps"] | {"changed_pixels": 0.03},
                "limits": {"flips": 1.0, "pixel_changes": 1.0},
            },
            "3.00% of the pixels have another class",
        ),
    ):
        assert compared(**changes) == 1
        assert f"WORSE: {words}" in capsys.readouterr().out
    for changes, words in (
        ({"schema": 1}, f"expected a certificate of schema 2, got 1 in {second}: an older version wrote it"),
        ({"schema": 99}, f"expected a certificate of schema 2, got 99 in {second}: a newer version wrote it"),
        (
            {"latency": 3},
            f"expected of the certificate {second} its field latency to be an object, got 3: it was changed",
        ),
    ):
        assert compared(**changes) == 2
        assert words in capsys.readouterr().err
    first.write_text(second.read_text() if compared(class_maps=None) else "")
    assert compared() == 0, "a class map that only the second has is no worse"


def test_every_field_of_a_certificate_stands_in_the_documentation() -> None:
    page = (ROOT / "docs" / "how-to" / "certify.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(field.name for field in fields(Certificate))


@pytest.mark.parametrize("name", ["manifest.json", "certificate.json"])
def test_certificate_is_not_written_into_the_bundle(
    name: str, toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in toy_bundle.iterdir()}
    words = ["certify", str(toy_bundle), "--provider", "cpu", "--frames", str(drive), *QUICK]
    assert run([*words, "--out", str(toy_bundle / name)]) == 2
    error = capsys.readouterr().err
    assert f"expected a place outside the bundle {toy_bundle}, got {toy_bundle / name}; choose another file" in error
    assert {path.name: path.read_bytes() for path in toy_bundle.iterdir()} == before


def test_certificate_does_not_replace_the_network_that_is_read(
    toy_bundle: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / "net.onnx"
    network.write_bytes(b"a network")
    words = ["certify", str(toy_bundle), "--provider", "cpu", "--frames", str(drive), *QUICK, "--network", str(network)]
    assert run([*words, "--out", str(network)]) == 2
    assert "it would be lost" in capsys.readouterr().err
    assert network.read_bytes() == b"a network"
