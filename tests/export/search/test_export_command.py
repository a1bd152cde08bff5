# SPDX-License-Identifier: Apache-2.0
"""The command that a search prints is typed, and asks for an export with the options of the search."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import export.pipeline.export_monitor
import export.search.search
from export.calibration.detector_choice import choose_parts
from export.cli import export as export_cli
from export.cli import search as search_cli
from export.cli.next_command import next_command
from export.detectors.fitted import PartOptions
from export.detectors.part_choice import fused_parts
from export.features.key import OUTPUT_FEATURES, PICTURE, PICTURE_SPREAD, FeatureKey, FeatureKind
from export.pipeline.options import ExportOptions
from export.search.candidates import SearchCandidate, exported_key
from export.search.options import SearchOptions
from export.search.search import export_command
from tests.export.shell_words import shell_words

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
WORDS = TEXT.filter(lambda text: text and not text.startswith("-"))
PATHS = TEXT.filter(bool).map(Path)
POSITIVE = st.floats(min_value=0, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MODEL_ARGUMENTS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), VALUES, max_size=3)


class ReachedError(Exception):
    """Raised where the work would begin."""


class Commands:
    """The commands, each stopped where its work would begin."""

    def __init__(self) -> None:
        self.reached: list[object] = []

    def stop(self, options: object, *_: object) -> None:
        self.reached.append(options)
        raise ReachedError

    def search(self, words: Sequence[str]) -> SearchOptions:
        with pytest.raises(ReachedError):
            search_cli.main(words)
        options = self.reached.pop()
        assert isinstance(options, SearchOptions)
        return options

    def export(self, words: Sequence[str]) -> ExportOptions:
        with pytest.raises(ReachedError):
            export_cli.main(words)
        options = self.reached.pop()
        assert isinstance(options, ExportOptions)
        return options


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    commands = Commands()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export.search.search, "search", commands.stop)
        patch.setattr(export.pipeline.export_monitor, "export_monitor", commands.stop)
        yield commands


@st.composite
def search_words(draw: st.DrawFn) -> tuple[list[str], dict[str, object]]:
    """A search's command line, and what an export must be asked for."""
    wanted: dict[str, object] = {}
    words = []
    for flag, values in {
        "model": WORDS,
        "key": WORDS,
        "prefix": WORDS,
        "drop_prob": POSITIVE,
        "block_size": st.integers(1, 4096),
        "neighbors": st.integers(1, 16384),
        "channels": st.sampled_from(["rgb", "bgr"]),
        "network_channels": st.sampled_from(["rgb", "bgr"]),
        "network_output": st.sampled_from(["logits", "probabilities", "log-probabilities"]),
        "resize": st.sampled_from(["bilinear", "refuse"]),
        "seed": st.integers(0, 2**32 - 1),
        "feature_layers": st.lists(WORDS, min_size=1, max_size=3).map(tuple),
        "input_size": st.tuples(*[st.integers(1, 32768)] * 2),
        "crop": st.tuples(*[st.integers(0, 32768)] * 4),
        "mean": st.tuples(*[POSITIVE] * 3),
        "std": st.tuples(*[POSITIVE] * 3),
        "trust_checkpoint": st.just(True),
        "force": st.just(True),
    }.items():
        if draw(st.booleans()):
            value = wanted[flag] = draw(values)
            behind = [] if value is True else list(value) if isinstance(value, tuple) else [value]
            words += [f"--{flag.replace('_', '-')}", *map(str, behind)]
    arguments = wanted["model_args"] = draw(MODEL_ARGUMENTS)
    for name, value in arguments.items():
        words += ["--model-arg", f"{name}={yaml.safe_dump(value, default_flow_style=True)}"]
    frames = wanted["frames"] = tuple(draw(st.lists(PATHS, min_size=1, max_size=3)))
    ckpt = wanted["ckpt"] = draw(PATHS)
    return ["--ckpt", as_typed(ckpt), *words, "--frames", *map(as_typed, frames)], wanted


def as_typed(path: Path) -> str:
    return f"./{path}" if str(path).startswith("-") else str(path)


def of_one_part(key: FeatureKey, detector: str, tap: str, samples: int, pca: int | None = None) -> SearchCandidate:
    return SearchCandidate(detector, (PartOptions(detector, (key,), pca=pca),), tap, samples)


def fused(tap: str, samples: int, layers: Sequence[str]) -> SearchCandidate:
    energy = FeatureKey.output_score(FeatureKind.ENERGY)
    available = [FeatureKey.entropy(tap, samples), *map(FeatureKey.moments, layers), PICTURE, energy]
    return SearchCandidate("fused", fused_parts(available, [tap]), tap, samples)


@st.composite
def any_candidate(draw: st.DrawFn) -> SearchCandidate:
    tap, samples = draw(WORDS), draw(st.integers(1, 16384))
    moments = WORDS.map(FeatureKey.moments)
    of_output = st.sampled_from([PICTURE, PICTURE_SPREAD, *OUTPUT_FEATURES])
    key = draw(st.just(FeatureKey.entropy(tap, samples)) | moments | of_output | st.none())
    if key is None:
        return fused(tap, samples, draw(st.lists(WORDS, max_size=3, unique=True)))
    if key.kind.is_output_score:
        return of_one_part(key, "output-score", tap, samples)
    detector = draw(st.sampled_from(["kde", "mahalanobis", "mahalanobis-l2", "knn"]))
    return of_one_part(key, detector, tap, samples, draw(st.none() | st.integers(1, 100_000)))


CANDIDATES = any_candidate()
LAYER = of_one_part(FeatureKey.entropy("layer3", 16), "kde", "layer3", 16)


def line_of(candidate: SearchCandidate, options: SearchOptions) -> list[str]:
    """The words that a shell reads off the printed line."""
    words = shell_words(next_command("python", "-m", "export", *export_command(candidate, options)))
    assert words[:4] == ["next:", "python", "-m", "export"]
    return words[4:]


@given(searched=search_words(), candidate=CANDIDATES)
@example(
    searched=(["--ckpt", "c", "--model-arg", "weights=", "--frames", "f"], {"model_args": {"weights": None}}),
    candidate=LAYER,
)
@example(
    searched=(["--ckpt", "c", "--model-arg", "size='64'", "--frames", "f"], {"model_args": {"size": "64"}}),
    candidate=LAYER,
)
def test_export_command_of_a_search_when_typed_asks_for_the_same_options(
    commands: Commands, searched: tuple[list[str], dict[str, object]], candidate: SearchCandidate
) -> None:
    words, wanted = searched
    options = commands.search(words)
    exported = commands.export(line_of(candidate, options))
    assert {name: getattr(exported, name) for name in wanted} == wanted
    assert (exported.tap, exported.mc_samples) == ((candidate.tap,), candidate.samples)
    available = [exported_key(key) for key in candidate.keys]
    choice = choose_parts(exported.calibration, available, exported.tap)
    assert (choice.fused, choice.parts) == (candidate.detector == "fused", candidate.exported_parts)


def test_export_command_of_a_classifier_when_typed_names_its_frames(commands: Commands) -> None:
    words = ["--ckpt", "c", "--frames", "my day", "--ood-frames", "dusk", "--group-by", "prefix"]
    options = commands.search(words)
    classifier = of_one_part(FeatureKey.entropy("layer3", 8), "kde-classifier", "layer3", 8)
    exported = commands.export(line_of(classifier, options))
    assert exported.frames == (Path("my day"),)
    assert (exported.calibration.ood_frames, exported.calibration.group_by) == ((Path("dusk"),), "prefix")
