"""Grafana's HTTP API, as far as dashboards and alert rules need it.

By `requests`, which the OTLP exporter brings. The package grafana-client brings niquests, whose
urllib3-future takes the place of urllib3 in the whole environment: no library may do that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import requests

from replymeter.dashboards.files import FOLDER, FOLDER_UID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from replymeter.dashboards import Dashboard

TIMEOUT: Final = 15.0  # seconds
CHANGED: Final = 412
"""Someone else saved the dashboard meanwhile, or its title is taken."""


class GrafanaError(Exception):
    """What Grafana refused, or why it could not be asked; the text says what to do."""


@dataclass(frozen=True)
class Grafana:
    """A running Grafana: its base URL, and a service account's token."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """What Grafana answers; None for a 404 where something may be *missing*.

        Raises:
            GrafanaError: It could not be reached, or it refused.
        """
        try:
            answer = requests.request(
                method,
                f"{self.url.rstrip('/')}{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=TIMEOUT,
                allow_redirects=False,  # A POST would become a GET.
            )
        except requests.RequestException as error:
            raise GrafanaError(self._unreachable(error)) from error
        if missing and answer.status_code == requests.codes.not_found:
            return None
        if answer.status_code >= 300:
            raise GrafanaError(self._refused(method, path, answer))
        try:
            return answer.json()
        except ValueError:
            raise GrafanaError(
                f"{self.url} answers, but is no Grafana: {path} gave no JSON. Is it the base URL, "
                "without /dashboards or /d/...?"
            ) from None

    def _unreachable(self, error: requests.RequestException) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            return (
                f"{self.url} has a certificate that is not trusted. If it is your own authority's, "
                "name its file in REQUESTS_CA_BUNDLE."
            )
        if isinstance(error, requests.Timeout):
            return f"{self.url} did not answer within {TIMEOUT:g} s."
        if isinstance(error, requests.ConnectionError):
            return f"{self.url} cannot be reached. Is Grafana running there, and the port right?"
        return f"{self.url} is no URL like http://localhost:3000."

    def _refused(self, method: str, path: str, answer: requests.Response) -> str:
        status, said = answer.status_code, _said(answer)
        if status in {301, 302, 303, 307, 308}:
            return f"{self.url} sends on to {answer.headers.get('Location')}: give that URL."
        advice = _ADVICE.get(status, "")
        return f"Grafana answered {method} {path} with {status}{said}.{advice}"


_ADVICE: Final = {
    401: " The token is not valid there: make one under Administration, Service accounts.",
    403: " The token may not do that: its service account needs the role Editor, "
    "and Admin for alert rules.",
    404: " Is it the base URL, with the sub-path if Grafana has one?",
    CHANGED: " Somebody changed it meanwhile, or another dashboard in the folder has its title: "
    "run it again, or remove the other one.",
}


def _said(answer: requests.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return ""
    return f" ({said['message']})" if isinstance(said, dict) and said.get("message") else ""


def folder(grafana: Grafana) -> str:
    """Make the folder of the dashboards and alerts where there is none; says what was done."""
    if grafana.ask("GET", f"/api/folders/{FOLDER_UID}", missing=True) is not None:
        return f"unchanged  folder {FOLDER}"
    grafana.ask("POST", "/api/folders", {"uid": FOLDER_UID, "title": FOLDER})
    return f"created    folder {FOLDER}"


def dashboard(grafana: Grafana, board: Dashboard) -> str:
    """Make Grafana's copy of a dashboard equal to ours; says what was done.

    A copy that somebody saves between the look and the write is not written over.
    """
    ours = board.json()
    there = grafana.ask("GET", f"/api/dashboards/uid/{board.uid}", missing=True)
    line = f"{ours['title']}  {grafana.url.rstrip('/')}/d/{board.uid}"
    if there is not None:
        theirs = there["dashboard"]
        same = {**theirs, "id": None} == {**ours, "version": theirs.get("version")}
        if same and there.get("meta", {}).get("folderUid") == FOLDER_UID:
            return f"unchanged  {line}"
        ours["version"] = theirs.get("version")
    message = "replymeter dashboards"
    body = {"dashboard": ours, "folderUid": FOLDER_UID, "overwrite": False, "message": message}
    grafana.ask("POST", "/api/dashboards/db", body)
    return f"{'created' if there is None else 'updated':<10} {line}"


def alerts(grafana: Grafana, groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Make each group of alert rules equal to ours; says what was done.

    Grafana shows them as provisioned: its own pages cannot change them.
    """
    for group in groups:
        path = f"/api/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{group['title']}"
        there = grafana.ask("GET", path, missing=True)
        line = f"alerts {group['title']}: {len(group['rules'])}"
        if there and there.get("rules") and _holds(there, group):
            yield f"unchanged  {line}"
            continue
        grafana.ask("PUT", path, group)
        yield f"{'updated' if there and there.get('rules') else 'created':<10} {line}"


def _holds(theirs: Any, ours: Any) -> bool:
    """Whether *theirs* is *ours*, with what Grafana adds."""
    if isinstance(ours, dict):
        return all(key in theirs and _holds(theirs[key], one) for key, one in ours.items())
    if isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(_holds, theirs, ours))
    return bool(theirs == ours)


def prometheus(grafana: Grafana) -> str:
    """The uid of the Prometheus data source that alert rules ask: the default, or the only one.

    Raises:
        GrafanaError: There is none, or several and none of them is the default.
    """
    found = [one for one in grafana.ask("GET", "/api/datasources") if one["type"] == "prometheus"]
    chosen = [one for one in found if one.get("isDefault")] or found
    if len(chosen) != 1:
        names = ", ".join(f"{one['name']} ({one['uid']})" for one in found) or "none"
        raise GrafanaError(
            "Which data source shall the alert rules ask? Grafana has no default one of the type "
            f"prometheus, but {names}. Choose: --set grafana_datasource=<uid>; or --no-alerts."
        )
    return str(chosen[0]["uid"])
