"""A hub on this machine: repositories in memory, and as much of the hub's interface as its client needs.

`hub_server` is a fixture that points the client at it for a test. Faults are switches of the server.
"""

import base64
import hashlib
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

from mwork_eval.hub import repository

TOKEN = "hf_of_the_tests"
USER = "user"


@dataclass
class Repository:
    """Branches of a repository, and the files of each commit.

    Attributes:
        branches: Commits by name of the branch.
        commits: By commit, the contents by path.
        parents: By commit, the one before; None for the first.
        titles: By commit, the title.
    """

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    private: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main", title: str = "files") -> str:
        """Make a commit of exactly these files; returns its name."""
        parent = self.branches.get(branch)
        contents = [(path, hashlib.sha256(content).hexdigest()) for path, content in sorted(files.items())]
        name = hashlib.sha1(json.dumps([parent, title, contents, len(self.commits)]).encode()).hexdigest()
        self.commits[name], self.parents[name], self.titles[name] = dict(files), parent, title
        self.branches[branch] = name
        return name

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a branch or commit."""
        return self.commits[self.branches.get(revision, revision)]


@dataclass
class HubServer:
    """The hub, its repositories by `USER/NAME`, and what is to go wrong.

    Attributes:
        address: Where it answers.
        repositories: By name.
        corrupt: Paths whose contents are sent with a changed byte, and how many times.
        cut: Paths whose contents end in the middle, and how many times.
        gated: Names of repositories that nobody may read.
        fail: A status that every request is answered with, such as 401 or 503.
        requests: Each request, as `GET /path`.
    """

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    corrupt: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    gated: set[str] = field(default_factory=set)
    fail: int | None = None
    requests: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    cache: Path = Path()
    home: Path = Path()

    def repository(self, name: str) -> Repository:
        """Return a repository, made if there is none."""
        if name not in self.repositories:
            self.repositories[name] = Repository()
        return self.repositories[name]

    def environment(self, **changed: str) -> dict[str, str]:
        """Return the environment of a command whose hub this is."""
        names = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"}
        kept = {name: value for name, value in os.environ.items() if name not in names}
        ours = {"HF_ENDPOINT": self.address, "HF_HUB_CACHE": str(self.cache), "HF_TOKEN": TOKEN}
        return kept | ours | {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "*", "no_proxy": "*"} | changed

    def downloads(self, path: str) -> int:
        """Return how often a file was sent."""
        return sum(one.startswith("GET ") and one.endswith(f"/{path}") for one in self.requests)


class _RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, **headers: str) -> None:
        self.status, self.code, self.headers = status, code, headers


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer_or_refuse()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _answer_or_refuse(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        try:
            if self.hub.fail is not None:
                raise _RefusalError(self.hub.fail, "")
            self._answer(path)
        except _RefusalError as refusal:
            code = {"X-Error-Code": refusal.code} if refusal.code else {}
            self._send(b"{}", refusal.status, {**code, "X-Error-Message": refusal.code or "refused", **refusal.headers})

    def _send(self, content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_json(self, value: Any, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json"})

    def _answer(self, path: str) -> None:
        if path == "/api/whoami-v2":
            self._check_token()
            self._send_json({"type": "user", "name": USER, "auth": {"type": "access_token"}})
        elif path == "/api/validate-yaml":
            wrong = (
                [{"message": "license: no such licence"}] if "license: none" in json.loads(self.body)["content"] else []
            )
            self._send_json({"errors": wrong, "warnings": []}, 400 if wrong else 200)
        elif path == "/api/repos/create":
            self._create()
        elif path.startswith("/objects/"):
            self.hub.objects[path.removeprefix("/objects/")] = self.body
            self._send(b"")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._batch()
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(\w[\w-]*)(?:/(.+))?)?", path):
            self._answer_of_repository(*match.groups())
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._send_file(*match.groups())
        else:
            raise _RefusalError(404, "")

    def _check_token(self, code: str = "") -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _RefusalError(401, code)

    def _find(self, name: str, revision: str = "main") -> tuple[Repository, str]:
        if name not in self.hub.repositories:
            raise _RefusalError(404, "RepoNotFound")
        repository = self.hub.repositories[name]
        if repository.private:
            self._check_token("RepoNotFound")
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            raise _RefusalError(404, "RevisionNotFound")
        return repository, commit

    def _create(self) -> None:
        self._check_token()
        asked = json.loads(self.body)
        name = f"{asked.get('organization') or USER}/{asked['name']}"
        if not name.startswith(f"{USER}/"):
            raise _RefusalError(403, "")
        if name in self.hub.repositories:
            self._send_json({"error": "there is one"}, 409)
            return
        made = self.hub.repository(name)
        made.private = asked.get("visibility") == "private" or bool(asked.get("private"))
        made.commit({".gitattributes": b"*.safetensors filter=lfs\n"}, title="initial commit")
        self._send_json({"url": f"{self.hub.address}/{name}", "name": name})

    def _batch(self) -> None:
        self._check_token()
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.address}/objects/{one['oid']}"}}}
            for one in json.loads(self.body)["objects"]
        ]
        self._send_json({"transfer": "basic", "objects": objects})

    def _answer_of_repository(self, name: str, what: str | None, rest: str | None) -> None:
        if what in (None, "revision"):
            repository, commit = self._find(name, rest or "main")
            sizes = "blobs" in parse_qs(urlsplit(self.path).query)
            files = [
                {"rfilename": path, **({"size": len(content)} if sizes else {})}
                for path, content in repository.commits[commit].items()
            ]
            self._send_json({"id": name, "sha": commit, "siblings": files, "private": repository.private})
            return
        self._check_token()
        if not name.startswith(f"{USER}/"):
            raise _RefusalError(403, "")
        if what == "branch":
            repository, commit = self._find(name)
            if rest in repository.branches:
                raise _RefusalError(409, "")
            repository.branches[str(rest)] = commit
            self._send(b"")
        elif what == "preupload":
            repository, commit = self._find(name, str(rest))
            self._send_json({"files": [self._mode(one, repository, commit) for one in json.loads(self.body)["files"]]})
        elif what == "commit":
            self._commit(name, str(rest))
        elif what == "tree":
            repository, commit = self._find(name, str(rest).partition("/")[0])
            files = repository.commits[commit].items()
            self._send_json([{"type": "file", "path": path, "size": len(one), "oid": "0"} for path, one in files])
        else:
            raise _RefusalError(404, "")

    def _mode(self, asked: dict[str, Any], repository: Repository, commit: str) -> dict[str, Any]:
        large = asked["path"].endswith(".safetensors")
        there = repository.commits[commit].get(asked["path"])
        found = None if there is None else (hashlib.sha256(there).hexdigest() if large else _git_name(there))
        mode = "lfs" if large else "regular"
        return {"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": found}

    def _commit(self, name: str, branch: str) -> None:
        repository, commit = self._find(name, branch)
        files, title = dict(repository.commits[commit]), ""
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                title = value["summary"]
                if value.get("parentCommit", commit) != commit:
                    raise _RefusalError(412, "")
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif files.pop(value["path"], None) is None:
                raise _RefusalError(404, "EntryNotFound")
        made = repository.commit(files, branch, title)
        address = f"{self.hub.address}/{name}/commit/{made}"
        self._send_json({"success": True, "commitOid": made, "commitUrl": address, "hookOutput": ""})

    def _send_file(self, name: str, revision: str, path: str) -> None:
        repository, commit = self._find(name, revision)
        if name in self.hub.gated:
            raise _RefusalError(403, "GatedRepo")
        if path not in repository.commits[commit]:
            raise _RefusalError(404, "EntryNotFound", **{"X-Repo-Commit": commit})
        content = repository.commits[commit][path]
        large = path.endswith(".safetensors")
        named = hashlib.sha256(content).hexdigest() if large else _git_name(content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{named}"', "Accept-Ranges": "bytes"}
        if self.command == "HEAD":
            self._send(b"", headers={**headers, "Content-Length": str(len(content))})
            return
        if self.hub.corrupt[path] > 0:
            self.hub.corrupt[path] -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        status, start = 200, 0
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            status, start = 206, int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        content = content[start:]
        if self.hub.cut[path] > 0:
            self.hub.cut[path] -= 1
            self._send(content[: len(content) // 2], status, {**headers, "Content-Length": str(len(content))})
            self.close_connection = True
            return
        self._send(content, status, headers)


def _git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def serve_hub(hub: HubServer) -> ThreadingHTTPServer:
    """Let a hub answer on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_HandlerOfHub", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def point_client_at(monkeypatch: pytest.MonkeyPatch, address: str, cache: Path) -> None:
    """Let the hub's client of this process ask an address, with a cache of its own, and with the tests' token."""
    for name, value in {"HF_ENDPOINT": address, "HF_HUB_CACHE": str(cache), "HF_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no-token"))
    huggingface_hub.close_session()  # the one before may know a proxy


@pytest.fixture
def hub_server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub without repositories that the client of this process, and commands with its environment, ask."""
    home = tmp_path_factory.mktemp("hub")
    hub = HubServer(cache=home / "cache", home=home)
    server = serve_hub(hub)
    point_client_at(monkeypatch, hub.address, hub.cache)
    monkeypatch.setattr(repository, "_checked", {})  # each test begins as a new process does
    yield hub
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()
