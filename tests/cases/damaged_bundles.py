# SPDX-License-Identifier: Apache-2.0
"""Make the bundles of ``bundles.json``: a sound one, with one thing changed.

A case has a ``name``, what it changes, and ``says``: words of the error, null for a bundle that opens. ``set`` gives fields
of the manifest another value, ``remove`` takes fields away, by their path with slashes; ``text`` replaces words of its text;
``cut`` shortens a file by a byte, ``flip`` changes one of its bytes, ``drop`` deletes it, ``add`` adds one; ``stale`` leaves
the digest of the manifest as it was.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("bundles.json")
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())


def damaged(case: dict[str, Any], sound: Path, folder: Path) -> Path:
    """Copy the sound bundle to a folder and change what the case says."""
    shutil.copytree(sound, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for path, value in case.get("set", {}).items():
        parent, key = _place(manifest, path)
        parent[key] = value
    for path in case.get("remove", []):
        parent, key = _place(manifest, path)
        del parent[key]
    text = json.dumps(manifest)
    for old, new in case.get("text", {}).items():
        assert old in text, old
        text = text.replace(old, new, 1)
    contents = text.encode()
    if not case.get("stale"):
        (folder / "manifest.sha256").write_text(f"{hashlib.sha256(contents).hexdigest()}  manifest.json\n")
    (folder / "manifest.json").write_bytes(contents)
    for name in case.get("cut", []):
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    for name in case.get("flip", []):
        held = bytearray((folder / name).read_bytes())
        held[len(held) // 2] ^= 1
        (folder / name).write_bytes(held)
    for name in case.get("drop", []):
        (folder / name).unlink()
    for name in case.get("add", []):
        (folder / name).write_text("added\n")
    return folder


def _place(manifest: Any, path: str) -> tuple[Any, Any]:
    *parents, last = path.split("/")
    for each in parents:
        manifest = manifest[int(each) if isinstance(manifest, list) else each]
    return manifest, int(last) if isinstance(manifest, list) else last
