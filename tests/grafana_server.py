"""As much of Grafana's HTTP API as its documentation says, on loopback, with what it was sent.

https://grafana.com/docs/grafana/latest/developers/http_api/ (dashboard, folder, data source and
alerting provisioning; read in November 2026). A Grafana to test against is in no package registry.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

TOKEN = "glsa_a-token"


class FakeGrafana:
    """Folders, dashboards and rule groups as they were sent, and every request."""

    def __init__(self) -> None:
        self.url = ""
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.folder_of: dict[str, str] = {}
        self.rule_groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.sources: list[dict[str, Any]] = [
            {"uid": "prom-1", "name": "Prometheus", "type": "prometheus", "isDefault": True}
        ]
        self.asked: list[str] = []
        self.before_save: Callable[[], None] = lambda: None

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """The status and the body for a request."""
        self.asked.append(f"{method} {path}")
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        match (method, *path.strip("/").split("/")):
            case ("GET", "api", "folders", uid):
                return _found(self.folders.get(uid), "folder not found")
            case ("POST", "api", "folders"):
                return self._make_folder(body)
            case ("GET", "api", "dashboards", "uid", uid):
                return _found(self._shown(uid), "Dashboard not found")
            case ("POST", "api", "dashboards", "db"):
                self.before_save()
                return self._save(body)
            case _:
                return self._alerting(method, path, body)

    def _alerting(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        match (method, *path.strip("/").split("/")):
            case ("GET", "api", "datasources"):
                return 200, self.sources
            case ("GET", "api", "v1", "provisioning", "folder", folder, "rule-groups", name):
                return _found(self.rule_groups.get((folder, name)), "rule group not found")
            case ("PUT", "api", "v1", "provisioning", "folder", folder, "rule-groups", name):
                self.rule_groups[folder, name] = _provisioned(body)
                return 200, body
            case _:
                return 404, {"message": "Not found"}

    def _make_folder(self, body: Any) -> tuple[int, Any]:
        if body["uid"] in self.folders:
            return 412, {"message": "The folder has been changed by someone else"}
        self.folders[body["uid"]] = body
        return 200, body

    def _shown(self, uid: str) -> dict[str, Any] | None:
        there = self.dashboards.get(uid)
        return there and {"meta": {"folderUid": self.folder_of[uid]}, "dashboard": there}

    def _save(self, body: Any) -> tuple[int, Any]:
        board, folder = body["dashboard"], body["folderUid"]
        if folder not in self.folders:
            return 400, {"message": "folder not found"}
        there = self.dashboards.get(board["uid"])
        if there and board.get("version") != there["version"] and not body["overwrite"]:
            message = "The dashboard has been changed by someone else"
            return 412, {"message": message, "status": "version-mismatch"}
        version = there["version"] + 1 if there else 1
        saved = {**board, "id": len(self.dashboards) + 1, "version": version}
        self.dashboards[board["uid"]], self.folder_of[board["uid"]] = saved, folder
        return 200, {"uid": board["uid"], "status": "success", "version": version}


def _found(what: dict[str, Any] | None, missing: str) -> tuple[int, Any]:
    return (200, what) if what else (404, {"message": missing})


def _provisioned(group: dict[str, Any]) -> dict[str, Any]:
    """A group as Grafana gives it back, with what it adds."""
    added = {"id": 7, "updated": "2026-11-24T10:00:00Z", "provenance": "api", "isPaused": False}
    model = {"intervalMs": 1000, "maxDataPoints": 43200}
    rules = [
        {**rule, **added, "data": [{**one, "model": one["model"] | model} for one in rule["data"]]}
        for rule in group["rules"]
    ]
    return {**group, "rules": rules}


@contextmanager
def fake_grafana(context: ssl.SSLContext | None = None) -> Iterator[FakeGrafana]:
    """One that answers until the end of the block; by TLS with a *context*."""
    grafana = FakeGrafana()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            token = self.headers.get("Authorization", "")
            status, said = grafana.answer(self.command, self.path, token, body)
            text = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", said)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = answer  # noqa: N815  # http.server's names

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    grafana.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
