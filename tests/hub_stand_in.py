# SPDX-License-Identifier: Apache-2.0
"""A small Hugging Face hub on this machine, to which the hub's own client talks: repositories, commits, files."""

import base64
import hashlib
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = dict[str, bytes]

SIGNED = "?X-Amz-Signature=secret-of-the-upload"
"""Query of the addresses to which large files go, as of a store whose addresses let others in."""


class HubStandIn:
    """Repositories by name, each a list of commits, of which each holds all files.

    Files of ``large_from`` bytes and more are asked for by Git LFS with basic transfer, and stand in ``objects`` until a
    commit names them; Xet, by which the hub takes them where ``hf_xet`` is installed, is not spoken here.
    """

    def __init__(self) -> None:
        self.large_from: int | None = None
        self.objects: dict[str, bytes] = {}
        self.refuses_objects = False
        self.commits: dict[str, list[tuple[str, Files]]] = {}
        self.visibility: dict[str, str] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.downloads: list[str] = []

    def commit(self, name: str, files: Files) -> str:
        """Add a commit, after which a repository holds these files; its SHA comes back."""
        earlier = self.commits.setdefault(name, [])
        sha = hashlib.sha1(repr((len(earlier), sorted(files))).encode(), usedforsecurity=False).hexdigest()
        earlier.append((sha, files))
        return sha

    def files(self, name: str, revision: str) -> tuple[str, Files] | None:
        """SHA and files of a commit, a branch or ``main``; None where there is none."""
        commits = self.commits[name]
        if revision == "main":
            return commits[-1] if commits else ("0" * 40, {})
        sha = self.branches.get(name, {}).get(revision, revision)
        return next((each for each in commits if each[0] == sha), None)


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._file()

    def do_GET(self) -> None:
        parts = self._parts()
        if parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        else:
            self._file()

    def do_POST(self) -> None:
        parts, body = self._parts(), self._body()
        if parts[1:] and parts[1].endswith(".git"):
            self._batch(json.loads(body))
        elif parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            self._json({"errors": [], "warnings": []})
        elif parts[4] == "paths-info":
            found = self.hub.files("/".join(parts[2:4]), parts[5])
            wanted = parse_qs(body.decode())["paths"] if b"paths=" in body else json.loads(body)["paths"]
            files = found[1] if found else {}
            self._json([self._entry(path, files[path]) for path in wanted if path in files])
        elif parts[4] == "preupload":
            least = math.inf if self.hub.large_from is None else self.hub.large_from
            modes = {file["path"]: "lfs" if file["size"] >= least else "regular" for file in json.loads(body)["files"]}
            self._json(
                {"files": [{"path": each, "uploadMode": mode, "shouldIgnore": False} for each, mode in modes.items()]}
            )
        else:
            self._commit("/".join(parts[2:4]), [json.loads(line) for line in body.splitlines()])

    def do_PUT(self) -> None:
        body = self._body()
        if self.hub.refuses_objects:
            return self._json({"error": "No room for you"}, 403)
        self.hub.objects[self._parts()[1]] = body
        return self._json({})

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):  # chunks, as HTTP/1.1 sends a file
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def _batch(self, asked: dict[str, Any]) -> None:
        """Git LFS: where to put each object that is not there."""
        place = f"http://{self.headers['Host']}/objects"
        objects = [
            {"oid": each["oid"], "size": each["size"]}
            | (
                {}
                if each["oid"] in self.hub.objects
                else {"actions": {"upload": {"href": f"{place}/{each['oid']}{SIGNED}"}}}
            )
            for each in asked["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _parts(self) -> list[str]:
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for key, text in headers.items():
            self.send_header(key.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _entry(self, path: str, contents: bytes) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(contents), "oid": hashlib.sha256(contents).hexdigest()[:40]}

    def _info(self, name: str, revision: str) -> None:
        if name not in self.hub.commits:
            return self._json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        found = self.hub.files(name, revision)
        if found is None:
            return self._json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        siblings = [{"rfilename": path} for path in (".gitattributes", *found[1])]
        return self._json({"id": name, "modelId": name, "sha": found[0], "siblings": siblings, "tags": []})

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"user/{asked['name']}"
        address = f"http://{self.headers['Host']}/{name}"
        if name in self.hub.commits:
            return self._json({"error": "You already created this model repo", "url": address}, 409)
        self.hub.commits[name] = []
        self.hub.visibility[name] = asked.get("visibility") or ("private" if asked.get("private") else "public")
        return self._json({"url": address})

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        head, before = self.hub.files(name, "main") or ("", {})
        files = dict(before)
        if (parent := lines[0]["value"].get("parentCommit", head)) != head:
            return self._json({"error": f"The expected parent commit is {head}, not {parent}"}, 412)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                contents = self.hub.objects.get(value["oid"], b"")
                if hashlib.sha256(contents).hexdigest() != value["oid"] or len(contents) != value["size"]:
                    return self._json({"error": f"LFS object {value['oid']} was not uploaded"}, 400)
                files[value["path"]] = contents
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = self.hub.commit(name, files)
        return self._json(
            {"commitUrl": f"http://{self.headers['Host']}/{name}/commit/{sha}", "commitOid": sha, "success": True}
        )

    def _file(self) -> None:
        organisation, repository, _, revision, path = self._parts()
        name = f"{organisation}/{repository}"
        found = self.hub.files(name, revision) if name in self.hub.commits else None
        if found is None or path not in found[1]:
            return self._json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        contents = found[1][path]
        if self.command == "GET":
            self.hub.downloads.append(path)
        self.send_response(200)
        self.send_header("X-Repo-Commit", found[0])
        self.send_header("ETag", f'"{hashlib.sha256(contents).hexdigest()}"')
        self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else contents)
        return None


@contextmanager
def hub_stand_in() -> Iterator[tuple[HubStandIn, str]]:
    """A hub that serves on this machine, and its address."""
    hub = HubStandIn()
    handler = type("_OfThisHub", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield hub, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
