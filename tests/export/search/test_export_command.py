# SPDX-License-Identifier: Apache-2.0
"""The command that a search prints is typed, and asks for an export with the options of the search."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import export.pipeline.export_monitor
import export.search.search
from export.cli import export as export_cli
from export.cli import search as search_cli
from export.cli.next_command import next_command
from export.features.key import FeatureKey
from export.pipeline.options import ExportOptions
from export.search.options import SearchOptions
from export.search.ranking import Candidate
from export.search.search import export_command

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
        "drop_prob": POSITIVE,
        "block_size": st.integers(0),
        "neighbors": st.integers(0),
        "channels": st.sampled_from(["rgb", "bgr"]),
        "resize": st.sampled_from(["bilinear", "refuse"]),
        "seed": st.integers(0),
        "input_size": st.tuples(*[st.integers(0)] * 2),
        "crop": st.tuples(*[st.integers(0)] * 4),
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


CANDIDATES = st.builds(
    lambda tap, count, detector, pca: Candidate(FeatureKey.entropy(tap, count), detector, pca),
    WORDS,
    st.integers(0),
    st.sampled_from(["kde", "mahalanobis", "knn"]),
    st.none() | st.integers(1),
)
LAYER = Candidate(FeatureKey.entropy("layer3", 16), "kde")


def line_of(candidate: Candidate, options: SearchOptions) -> list[str]:
    """The words that a shell reads off the printed line."""
    words = shlex.split(next_command("python", "-m", "export", *export_command(candidate, options)))
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
    commands: Commands, searched: tuple[list[str], dict[str, object]], candidate: Candidate
) -> None:
    words, wanted = searched
    options = commands.search(words)
    exported = commands.export(line_of(candidate, options))
    assert {name: getattr(exported, name) for name in wanted} == wanted
    assert (exported.tap, exported.mc_samples) == ((candidate.features.layer,), candidate.features.samples)
    assert (exported.calibration.detector, exported.calibration.pca) == (candidate.detector, candidate.pca_components)


def test_export_command_of_a_classifier_when_typed_names_its_frames(commands: Commands) -> None:
    words = ["--ckpt", "c", "--frames", "my day", "--ood-frames", "dusk", "--group-by", "prefix"]
    options = commands.search(words)
    classifier = Candidate(FeatureKey.entropy("layer3", 8), "kde-classifier")
    exported = commands.export(line_of(classifier, options))
    assert exported.frames == (Path("my day"),)
    assert (exported.calibration.ood_frames, exported.calibration.group_by) == ((Path("dusk"),), "prefix")
