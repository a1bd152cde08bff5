# SPDX-License-Identifier: Apache-2.0
"""Where a network's class is found: in a module, by a dotted path, in a file with what lies beside it, in an argument."""

import enum
import functools
import sys
import urllib.error
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from export.checkpoint.arguments import ready_arguments
from export.checkpoint.download import without_downloads
from export.checkpoint.user_model import build_network, import_model
from export.errors import CheckpointError, UsageError
from export.findings import Finding

FILE = """
import torch
from {sibling} import WIDTH
class Net(torch.nn.Module):
    def __init__(self, width=WIDTH):
        super().__init__()
        from {late} import DEPTH
        self.width, self.depth, self.layer = width, DEPTH, torch.nn.Conv2d(3, width, 1)
    class Inner(torch.nn.Module): pass
def make(width=3): return Net(width)
"""


def folder_with(path: Path, width: int, *, sibling: str = "blocks_beside", late: str = "late_beside") -> Path:
    path.mkdir(parents=True)
    (path / "net.py").write_text(FILE.format(sibling=sibling, late=late))
    (path / "blocks_beside.py").write_text(f"WIDTH = {width}")
    (path / "late_beside.py").write_text(f"DEPTH = {width + 1}")
    return path


@pytest.mark.parametrize("spec", ["tests.networks:NoDropout", "tests.networks.NoDropout"])
def test_import_model_of_a_module_takes_colon_and_dot(spec: str) -> None:
    assert type(build_network(import_model(spec), {})).__name__ == "NoDropout"


@pytest.mark.parametrize("sibling", ["blocks_beside", ".blocks_beside"])
def test_import_model_of_files_of_one_name_finds_what_lies_beside_each(
    sibling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, width in (("one", 5), ("two", 7)):
        folder_with(tmp_path / name, width, sibling=sibling, late=sibling.replace("blocks", "late"))
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    targets = [import_model(f"{name}/net.py:Net") for name in ("one", "two")]
    built: list[Any] = [build_network(target, {}) for target in targets]
    assert [(net.width, net.depth) for net in built] == [(5, 6), (7, 8)]
    assert build_network(import_model(str(tmp_path / "two" / "net.py") + ":make"), {"width": 2}).width == 2
    assert type(build_network(import_model("one/net.py:Net.Inner"), {})).__name__ == "Inner"
    assert sys.path == path
    assert {name for name in set(sys.modules) - before if "beside" in name and not name.startswith("_folder_")} == set()


def test_import_model_of_a_file_in_a_package_has_the_package_around_it(tmp_path: Path) -> None:
    folder_with(tmp_path / "repository" / "models", 4, sibling="models.blocks_beside", late="models.late_beside")
    (tmp_path / "repository" / "models" / "__init__.py").write_text("")
    net: Any = build_network(import_model(f"{tmp_path}/repository/models/net.py:Net"), {})
    assert (net.width, net.depth) == (4, 5)


def test_import_model_of_a_file_does_not_replace_a_module_of_its_name(tmp_path: Path) -> None:
    for name in ("torch", "sys", "time", "export"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    kept = {name: sys.modules[name] for name in ("torch", "sys", "time", "export")}
    (tmp_path / "json.py").write_text("from torch import nn\nclass Net(nn.Identity): pass")
    assert isinstance(build_network(import_model(f"{tmp_path}/json.py:Net"), {}), nn.Identity)
    assert {name: sys.modules[name] for name in kept} == kept
    assert sys.modules["json"].__name__ == "json"


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("net.py", UsageError, "path/to/file.py:Class"),
        ("Net", UsageError, "package.module.Class"),
        (":Net", UsageError, "package.module:Class"),
        ("nowhere/net.py:Net", CheckpointError, "a Python file at nowhere/net.py, found none"),
        ("tests.networks.NoDropuot", CheckpointError, "it has NoDropout"),
        ("tests.nowhere.Net", CheckpointError, "ModuleNotFoundError"),
        ("broken.py:Net", CheckpointError, "expected to import broken.py, got ZeroDivisionError"),
    ],
)
def test_import_model_of_another_form_is_refused(
    spec: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        import_model(spec)


def build_from(
    model: str, arguments: Mapping[str, object], given: Collection[str] = ()
) -> tuple[nn.Module, tuple[Finding, ...]]:
    target = import_model(model)
    ready, switched = ready_arguments(target, arguments, given)
    return build_network(target, ready), tuple(each.finding for each in switched)


class Holder(nn.Module):
    """Keeps what it is given."""

    def __init__(self, net: object, more: object = None, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.given, self.more, self.inner = net, more, inner


HERE = f"{__name__}:Holder"


def written(depth: int, value: object) -> object:
    """An object in an object, ``depth`` times, around a value."""
    return value if depth == 0 else {"class_path": HERE, "init_args": {"net": [{"x": written(depth - 1, value)}]}}


@given(st.integers(0, 5), st.one_of(st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3)))
def test_build_from_arguments_with_objects_builds_them_at_any_depth(depth: int, value: object) -> None:
    network, findings = build_from(HERE, {"net": written(depth, value)}, {"net"})
    found: object = network.given
    for _ in range(depth):
        assert isinstance(found, Holder)
        found = found.given[0]["x"]  # type: ignore[index]
    assert found == value
    assert findings == ()


def test_ready_arguments_of_a_checkpoint_that_names_classes_build_modules_where_that_is_allowed() -> None:
    argument = {"class_path": HERE, "init_args": {"net": 1}}
    stated = {"net": argument, "inner": argument}
    assert ready_arguments(Holder, stated)[0] == stated
    built, _ = ready_arguments(Holder, stated, named=True)
    assert built["net"] == argument  # without a type a constructor may read it itself
    assert isinstance(built["inner"], Holder)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"class_path": 3}, "expected class_path as text and init_args as a mapping at net"),
        ({"class_path": HERE, "init_args": {"net": 1, "zzz": 1}}, "got zzz beside"),
        ({"class_path": HERE, "init_args": {"nett": 1}}, r"got nett \(did you mean net\?\)"),
        ({"class_path": "tests.networks.Nothing"}, "expected a class or a function Nothing"),
        ({"class_path": HERE}, "the arguments net of Holder, its init_args do not have them"),
    ],
)
def test_build_from_an_unusable_object_is_refused(argument: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        build_from(HERE, {"net": argument}, {"net"})


class Weights(enum.Enum):
    """As torchvision's."""

    DEFAULT = "https://nowhere.invalid/weights.pth"


class Library(nn.Module):
    """Downloads where it is told to, as libraries for vision do."""

    def __init__(
        self,
        weights: Weights | str | None = None,
        weights_backbone: Weights | None = Weights.DEFAULT,
        encoder_weights: str | None = "imagenet",
        pretrained: bool = True,
        pretrained_backbone: bool = False,
    ) -> None:
        super().__init__()
        asked = (weights, weights_backbone, encoder_weights, pretrained, pretrained_backbone)
        self.asked = asked
        if any(asked):
            try:
                raise urllib.error.URLError("no route")
            except urllib.error.URLError as error:
                raise OSError("cannot load the weights") from error


class Unet(nn.Module):
    """Takes its library's network as an argument."""

    def __init__(self, net: nn.Module, weights: object = (1.0, 2.0)) -> None:
        super().__init__()
        self.net, self.weights = net, weights


LIBRARY = f"{__name__}:Library"


@pytest.mark.parametrize(
    "stated",
    [{}, {"pretrained": True}, {"weights": "DEFAULT", "encoder_weights": "imagenet"}, {"pretrained_backbone": True}],
)
def test_build_from_a_constructor_that_downloads_switches_it_off_and_says_so(stated: dict[str, object]) -> None:
    network, findings = build_from(LIBRARY, stated)
    assert network.asked == (None, None, None, False, False)
    values = {finding.value for finding in findings}
    assert {"weights_backbone=null", "encoder_weights=null", "pretrained=false"} <= values
    assert all(finding.words == ("--model-arg", finding.value) for finding in findings)


def test_build_from_an_object_that_downloads_switches_it_off_and_leaves_class_weights_alone() -> None:
    network, findings = build_from(f"{__name__}:Unet", {"net": {"class_path": LIBRARY}, "weights": [0.5, 2.0]}, {"net"})
    assert isinstance(network.net, Library)
    assert network.net.asked == (None, None, None, False, False)
    assert network.weights == [0.5, 2.0]
    assert len(findings) == 3


@pytest.mark.parametrize("argument", ["encoder_weights", "weights"])
def test_build_from_a_user_who_asks_for_a_download_names_the_argument_where_it_fails(argument: str) -> None:
    with pytest.raises(
        CheckpointError, match=r"it tried one, which failed \(URLError: .*no route.*--model-arg"
    ) as caught:
        build_from(LIBRARY, {argument: "imagenet"}, {argument})
    assert str(caught.value).endswith(f": give --model-arg {argument}=null")
    inside = {"class_path": LIBRARY, "init_args": {argument: "imagenet"}}
    with pytest.raises(CheckpointError, match=f"give {argument}: null in its init_args"):
        build_from(HERE, {"net": inside}, {"net"})
    assert build_from(LIBRARY, {argument: None}, {argument})[0].asked == (None, None, None, False, False)


def hidden_download() -> nn.Module:
    """A factory without a switch."""
    raise ConnectionError("refused")


def test_build_from_a_constructor_without_a_switch_says_that_it_downloads() -> None:
    with pytest.raises(CheckpointError, match="take the download out of its constructor"):
        build_from(f"{__name__}:hidden_download", {})


@pytest.mark.parametrize("target", [Library, Holder, Unet, hidden_download])
def test_without_downloads_of_what_the_user_gave_leaves_it(target: Callable[..., object]) -> None:
    names = ("weights", "weights_backbone", "encoder_weights", "pretrained", "pretrained_backbone")
    assert without_downloads(target, {}, names) == {}


def test_ready_arguments_of_plain_values_are_the_same() -> None:
    plain = {"net": [1, {"a": None}], "more": "text"}
    assert ready_arguments(Holder, plain, plain) == (plain, ())


class WrappedConstructor(nn.Identity):
    """As transformers' configurations: the wrapper around the constructor takes names that the constructor has not."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.width, self.others = width, dict[str, object]()

    @staticmethod
    def wrapper(inner: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(inner)
        def constructor(self: "WrappedConstructor", **arguments: Any) -> None:
            inner(self, **{name: arguments.pop(name) for name in ["width"] if name in arguments})
            if "wrong" in arguments:
                raise TypeError("unexpected argument 'wrong'")
            self.others = arguments

        return constructor


WrappedConstructor.__init__ = WrappedConstructor.wrapper(WrappedConstructor.__init__)  # type: ignore[method-assign]


class OpenConstructor(nn.Identity):
    """Takes any name, one of them by its own."""

    def __init__(self, width: int = 3, **others: object) -> None:
        super().__init__()
        self.width, self.others = width, others


@given(
    target=st.sampled_from([WrappedConstructor, OpenConstructor]),
    width=st.dictionaries(st.just("width"), st.integers(), max_size=1),
    others=st.dictionaries(
        st.sampled_from(["num_labels", "arguments", "kwargs", "_others", "_width", "widths", "witdh"]), st.integers()
    ),
)
def test_build_network_with_a_constructor_that_takes_any_name_gives_it_every_one(
    target: Callable[..., nn.Module], width: dict[str, int], others: dict[str, int]
) -> None:
    built: Any = build_network(target, width | others)
    called: Any = target(**width, **others)
    assert (built.width, built.others) == (called.width, called.others) == (width.get("width", 3), others)


def test_build_network_with_a_constructor_that_takes_any_name_is_refused_where_one_that_it_needs_is_misspelt() -> None:
    def make(width: int, **others: object) -> nn.Module:
        return OpenConstructor(width, **others)

    with pytest.raises(CheckpointError, match=r"got widht \(did you mean width\?\)"):
        build_network(make, {"widht": 1})


def test_build_network_with_a_wrapped_constructor_that_refuses_a_name_says_so() -> None:
    with pytest.raises(CheckpointError, match=r"expected hyper-parameters that WrappedConstructor .* argument 'wrong'"):
        build_network(WrappedConstructor, {"wrong": 1})
