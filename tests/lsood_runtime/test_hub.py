# SPDX-License-Identifier: Apache-2.0
"""Bundles on a hub on this machine, through the client of the Hugging Face hub itself."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from lsood_runtime import BundleError, MediaError, OoDMonitor, pack_bundle, pull_bundle, push_bundle
from lsood_runtime._bundle import reader
from lsood_runtime._bundle.signature import check_signed
from lsood_runtime._cli.main import run
from tests.hub_stand_in import HubStandIn, hub_stand_in
from tests.lsood_runtime.conftest import random_frames
from tests.signing_keys import write_keys

constants = pytest.importorskip("huggingface_hub.constants", reason="the extra hub is not installed")

NAME = "org/monitor"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubStandIn]:
    with hub_stand_in() as (served, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
        yield served


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("packed", [False, True])
def test_bundle_that_was_pushed_is_pulled_as_it_was(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, packed: bool
) -> None:
    source = toy_bundle
    if packed:
        source = tmp_path / "monitor.zip"
        pack_bundle(toy_bundle, source)
    pushed = push_bundle(source, NAME)
    assert hub.commits[NAME] == [(pushed.revision, contents_of(toy_bundle))]
    assert hub.visibility[NAME] == "private"
    pulled = pull_bundle(NAME, tmp_path / "pulled", revision=pushed.revision, expected_sha256=pushed.sha256)
    assert pulled == pushed
    assert contents_of(tmp_path / "pulled") == contents_of(toy_bundle)
    frames = random_frames(2, 1)
    with OoDMonitor(toy_bundle) as here, OoDMonitor(tmp_path / "pulled") as there:
        assert there.score_batch(frames).tolist() == here.score_batch(frames).tolist()


_OF_THE_CLIENT = "ignore:Use 'content=<...>':DeprecationWarning"
"""The client passes a large file to its HTTP library in an older way."""


@pytest.mark.filterwarnings(_OF_THE_CLIENT)
def test_large_files_go_by_git_lfs_and_come_back_as_they_were(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Xet, which the hub's client prefers where ``hf_xet`` is installed, and the stand-in does not speak."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    whole = contents_of(toy_bundle)
    hub.large_from = sorted(map(len, whole.values()))[-2]
    pushed = push_bundle(toy_bundle, NAME)
    large = {contents for contents in whole.values() if len(contents) >= hub.large_from}
    assert set(hub.objects.values()) == large
    assert 0 < len(large) < len(whole)
    assert hub.commits[NAME] == [(pushed.revision, whole)]
    assert pull_bundle(NAME, tmp_path / "pulled") == pushed
    assert contents_of(tmp_path / "pulled") == whole
    assert push_bundle(toy_bundle, "org/again").sha256 == pushed.sha256
    assert set(hub.objects.values()) == large


@pytest.mark.filterwarnings(_OF_THE_CLIENT)
def test_large_file_that_the_hub_refuses_is_told_with_the_reason(
    hub: HubStandIn, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    hub.large_from, hub.refuses_objects = 1, True
    with pytest.raises(
        MediaError, match=r"expected the repository org/monitor on the hub, got HfHubHTTPError \(.*403"
    ) as refused:
        push_bundle(toy_bundle, NAME)
    assert "/objects/" in str(refused.value)
    assert "secret-of-the-upload" not in str(refused.value)
    assert hub.commits[NAME] == []


@pytest.mark.parametrize("command", ["push", "pack"])
def test_signature_that_was_verified_goes_out_where_its_file_is_swapped_after_the_check(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    pytest.importorskip("cryptography")
    private, public = write_keys(tmp_path)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    signature = (toy_bundle / "model.sig").read_bytes()

    def checked_and_swapped(*digests: Any) -> None:
        check_signed(*digests)
        (toy_bundle / "model.sig").write_bytes(b"swapped")

    monkeypatch.setattr(reader, "check_signed", checked_and_swapped)
    if command == "push":
        push_bundle(toy_bundle, NAME, public_key=public)
        sent = hub.commits[NAME][0][1]["model.sig"]
    else:
        pack_bundle(toy_bundle, tmp_path / "monitor.zip", public_key=public)
        with ZipFile(tmp_path / "monitor.zip") as archive:
            (name,) = (each for each in archive.namelist() if each.endswith("model.sig"))
            sent = archive.read(name)
    assert sent == signature
    assert (toy_bundle / "model.sig").read_bytes() == b"swapped"


def test_revision_pins_a_bundle_where_the_branch_moves_on(hub: HubStandIn, toy_bundle: Path, tmp_path: Path) -> None:
    first = push_bundle(toy_bundle, NAME, public=True)
    assert hub.visibility[NAME] == "public"
    newer = dict(hub.commits[NAME][0][1]) | {"manifest.json": b"{}"}
    hub.branches[NAME] = {"v1": first.revision, "next": hub.commit(NAME, newer)}
    assert pull_bundle(NAME, tmp_path / "by_commit", revision=first.revision) == first
    assert pull_bundle(NAME, tmp_path / "by_tag", revision="v1") == first
    for revision in (None, "next"):
        with pytest.raises(BundleError, match=r"expected manifest\.sha256 to be the line"):
            pull_bundle(NAME, tmp_path / "newer", revision=revision)
    assert not (tmp_path / "newer").exists()


def test_what_the_manifest_does_not_record_stays_on_the_hub(hub: HubStandIn, toy_bundle: Path, tmp_path: Path) -> None:
    hub.commit(NAME, contents_of(toy_bundle) | {"notes.txt": b"mine", ".gitattributes": b"*.bin filter=lfs"})
    pull_bundle(NAME, tmp_path / "pulled")
    assert contents_of(tmp_path / "pulled") == contents_of(toy_bundle)
    assert sorted(hub.downloads) == sorted(contents_of(toy_bundle))


def test_another_bundle_than_expected_is_refused_before_its_graphs_are_fetched(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path
) -> None:
    hub.commit(NAME, contents_of(toy_bundle))
    with pytest.raises(BundleError, match="expected the bundle whose manifest has sha256 000000000000"):
        pull_bundle(NAME, tmp_path / "pulled", expected_sha256="0" * 64)
    assert set(hub.downloads) == {"manifest.json", "manifest.sha256"}
    assert list(tmp_path.glob(".pulled*")) == []


def test_push_upon_another_that_came_in_between_is_refused(
    hub: HubStandIn, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes after the repository was looked at: its files and these would be mixed."""
    push_bundle(toy_bundle, NAME)
    client = pytest.importorskip("huggingface_hub").HfApi
    create = client.create_commit

    def create_late(*given: object, **named: object) -> object:
        hub.commit(NAME, {"manifest.json": b"of another"})
        return create(*given, **named)

    monkeypatch.setattr(client, "create_commit", create_late)
    with pytest.raises(MediaError, match="got a newer commit: push again"):
        push_bundle(toy_bundle, NAME)
    assert hub.commits[NAME][-1][1] == {"manifest.json": b"of another"}


DAMAGES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "changed": ({"detector.onnx": b""}, r"expected detector\.onnx to have \d+ bytes, got 0"),
    "missing": ({"golden.npz": None}, r"expected the file golden\.npz in org/monitor at \w{40}, it is missing"),
    "no manifest": ({"manifest.json": None}, r"found no manifest\.json: check the name and the revision"),
    "large manifest": ({"manifest.json": bytes(64 * 2**20 + 1)}, r"expected manifest\.json to have at most"),
    "long digest file": ({"manifest.sha256": bytes(81)}, r"expected manifest\.sha256 to have at most 80 bytes"),
    "other text": ({"README.md": b"# Yot\n"}, r"expected README\.md with sha256"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bundle_is_not_pulled_and_nothing_is_left(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, damage: str
) -> None:
    changes, message = DAMAGES[damage]
    changed = contents_of(toy_bundle) | changes
    hub.commit(NAME, {name: contents for name, contents in changed.items() if contents is not None})
    with pytest.raises(BundleError, match=message):
        pull_bundle(NAME, tmp_path / "pulled")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["monitor"]


def test_signature_goes_with_the_bundle_and_an_old_one_is_removed(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    private, public = write_keys(tmp_path)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    assert run(["push", str(toy_bundle), NAME, "--public-key", str(public)]) == 0
    assert run(["pull", NAME, "--out", str(tmp_path / "signed"), "--public-key", str(public)]) == 0
    assert (tmp_path / "signed" / "model.sig").is_file()
    (toy_bundle / "model.sig").unlink()
    assert run(["push", str(toy_bundle), NAME]) == 0
    assert "model.sig" not in hub.commits[NAME][-1][1]
    capsys.readouterr()
    assert run(["pull", NAME, "--out", str(tmp_path / "unsigned"), "--public-key", str(public)]) == 2
    assert f"{NAME} at {hub.commits[NAME][-1][0]} is not signed" in capsys.readouterr().err
    assert not (tmp_path / "unsigned").exists()


def test_command_to_pull_is_what_push_prints(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["push", str(toy_bundle), NAME]) == 0
    told, following = capsys.readouterr().out.splitlines()
    assert told.startswith(f"pushed {toy_bundle} to {NAME} at {hub.commits[NAME][0][0]}, manifest sha256 ")
    words = following.removeprefix("next: lsood ").replace("DIR", str(tmp_path / "pulled")).split()
    assert run(words) == 0
    assert contents_of(tmp_path / "pulled") == contents_of(toy_bundle)
    assert hub.commits[NAME][0][0] in capsys.readouterr().out


def test_repository_of_something_else_is_left_alone(hub: HubStandIn, toy_bundle: Path) -> None:
    hub.commit(NAME, {"config.json": b"{}"})
    with pytest.raises(MediaError, match=r"expected a repository with a bundle, or an empty one, .* 'config\.json'"):
        push_bundle(toy_bundle, NAME)
    assert len(hub.commits[NAME]) == 1


def test_damaged_bundle_is_not_pushed(hub: HubStandIn, toy_bundle: Path) -> None:
    (toy_bundle / "README.md").write_text("# Yot\n")
    with pytest.raises(BundleError, match=r"expected README\.md with sha256"):
        push_bundle(toy_bundle, NAME)
    assert hub.commits == {}


def test_name_or_revision_that_is_not_there_ends_in_one_line(hub: HubStandIn, toy_bundle: Path, tmp_path: Path) -> None:
    push_bundle(toy_bundle, NAME)
    for name, revision, message in (
        ("org/other", None, "expected the repository org/other on the hub, got none that may be read: check the name"),
        (NAME, "v9", "got no such revision: name a branch, a tag or a commit"),
        ("org/a--b", None, "got a name or a revision that it does not take: correct it"),
        ("a b/c", None, "expected ORGANISATION/NAME of a repository on the hub, got 'a b/c'"),
        ("monitor", None, "expected ORGANISATION/NAME"),
    ):
        with pytest.raises(MediaError, match=message) as refused:
            pull_bundle(name, tmp_path / "pulled", revision=revision)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "pulled").exists()


def test_hub_that_does_not_answer_ends_in_one_line(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        MediaError, match=f"expected the repository {NAME} on the hub, got .*Error .*: check the network"
    ):
        pull_bundle(NAME, tmp_path / "pulled")


def test_place_that_is_taken_is_refused_before_the_hub_is_asked(
    hub: HubStandIn, toy_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match="expected a new or an empty folder"):
        pull_bundle(NAME, toy_bundle)
    with pytest.raises(MediaError, match="expected a place outside the bundle"):
        pull_bundle(NAME, toy_bundle / "inner")
    with pytest.raises(MediaError, match="to exist, found none"):
        pull_bundle(NAME, tmp_path / "nowhere" / "pulled")
    (tmp_path / "empty").mkdir()
    push_bundle(toy_bundle, NAME)
    pull_bundle(NAME, tmp_path / "empty")
    assert contents_of(tmp_path / "empty") == contents_of(toy_bundle)


def test_missing_package_is_named_with_its_extra(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MediaError, match="the Hugging Face hub needs packages that are not installed"):
        pull_bundle(NAME, tmp_path / "pulled")
    with pytest.raises(MediaError, match="with its extra hub"):
        push_bundle(toy_bundle, NAME)
