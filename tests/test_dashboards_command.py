from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from replymeter.alerts import groups
from replymeter.alerts.files import files as alert_files
from replymeter.cli import main
from replymeter.dashboards import DASHBOARDS
from replymeter.dashboards.files import files
from tests.end_to_end import certificates
from tests.grafana_server import TOKEN, FakeGrafana, fake_grafana

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="grafana")
def _grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrafana]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fake_grafana() as running:
        monkeypatch.setenv("GRAFANA_URL", running.url)
        monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
        yield running


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and what was printed; the token is never."""
    code = main(["dashboards", *arguments])
    text = capsys.readouterr().out
    assert TOKEN not in text
    return code, text


def test_it_makes_the_folder_and_every_dashboard(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are, in the folder, and it says where."""
    code, text = said(capsys)

    assert code == 0
    assert grafana.folders["replymeter"]["title"] == "Replymeter"
    for board in DASHBOARDS:
        there = grafana.dashboards[board.uid]
        assert {**there, "id": None, "version": 1} == {**board.json(), "version": 1}
        assert grafana.folder_of[board.uid] == "replymeter"
        assert f"{grafana.url}/d/{board.uid}" in text


def test_the_second_time_changes_nothing(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    """It only looks."""
    said(capsys)
    grafana.asked.clear()
    code, text = said(capsys)

    assert code == 0
    assert {line.split()[0] for line in text.splitlines()} == {"unchanged"}
    assert {one.split()[0] for one in grafana.asked} == {"GET"}


def test_what_was_changed_there_is_put_right(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed title, and one that was moved out of the folder; the others stay."""
    said(capsys)
    grafana.dashboards["replymeter-safety"]["title"] = "Mine"
    grafana.folder_of["replymeter-overview"] = "elsewhere"
    code, text = said(capsys)

    updated = [line for line in text.splitlines() if line.startswith("updated")]
    assert code == 0
    assert len(updated) == 2
    assert grafana.dashboards["replymeter-safety"]["title"] == "Replymeter / Safety"
    assert grafana.dashboards["replymeter-safety"]["version"] == 2
    assert grafana.folder_of["replymeter-overview"] == "replymeter"


def test_a_change_in_between_is_not_written_over(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody saves the dashboard after it was looked at: Grafana's 412 is the answer."""
    said(capsys)
    grafana.dashboards["replymeter-overview"]["title"] = "Mine"

    def save() -> None:
        grafana.dashboards["replymeter-overview"]["version"] += 1

    grafana.before_save = save
    code, text = said(capsys)

    assert code == 1
    assert "412" in text
    assert "changed it meanwhile" in text
    assert grafana.dashboards["replymeter-overview"]["title"] == "Mine"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"message": "Invalid API key"}, ("401 (Invalid API key)", "Service accounts")),
        (403, {"message": "Access denied"}, ("403 (Access denied)", "role Editor")),
        (404, b"<html>", ("404", "base URL")),
        (500, {"message": "boom"}, ("500 (boom)",)),
        (302, "https://elsewhere.test/login", ("sends on to https://elsewhere.test/login",)),
        (200, b"<html>", ("is no Grafana",)),
    ],
)
def test_a_refusal_says_what_to_do(
    grafana: FakeGrafana,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    body: Any,
    words: tuple[str, ...],
) -> None:
    """One line, with Grafana's own words where it has some, and exit code 1."""
    monkeypatch.setattr(grafana, "answer", lambda *_: (status, body))
    code, text = said(capsys)

    assert code == 1
    assert len(text.splitlines()) == 1
    for word in words:
        assert word in text


def test_a_wrong_token_is_refused(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """The option wins over the variable."""
    code, text = said(capsys, "--token", "wrong")

    assert code == 1
    assert "The token is not valid there" in text


def test_nothing_listens(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """And the option wins over the variable."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Taken, and it does not listen.
        code, text = said(capsys, "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert code == 1
    assert "cannot be reached" in text
    assert grafana.asked == []


def test_no_url_at_all(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no URL is said to be none."""
    code, text = said(capsys, "--url", "localhost")

    assert code == 1
    assert "is no URL like http://localhost:3000" in text


@pytest.mark.parametrize("missing", ["GRAFANA_URL", "GRAFANA_TOKEN"])
def test_what_is_not_given_is_asked_for(
    grafana: FakeGrafana,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: str,
) -> None:
    """By the names of the option and the variable."""
    monkeypatch.delenv(missing)
    code, text = said(capsys)

    assert code == 1
    assert missing in text
    assert grafana.asked == []


def test_a_certificate_that_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remedy is named, and it helps."""
    certificates.write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    with fake_grafana(context) as grafana:
        code, text = said(capsys, "--url", grafana.url, "--token", TOKEN)
        assert code == 1
        assert "not trusted" in text
        assert "REQUESTS_CA_BUNDLE" in text
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        code, text = said(capsys, "--url", grafana.url, "--token", TOKEN)
        assert code == 0


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--export` writes what the repository has, and needs no Grafana."""
    code, text = said(capsys, "--export", str(tmp_path))

    written = {
        str(path.relative_to(tmp_path)): path.read_text()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert code == 0
    assert len(text.splitlines()) == len(written)
    assert {f"dashboards/{path}" for path in written} == {*files(), *alert_files()}
    for path, content in {**files(), **alert_files()}.items():
        assert written[path.removeprefix("dashboards/")] == content
    assert json.loads(written["grafana/overview.json"])["uid"] == "replymeter-overview"


def test_files_with_other_alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--set` reaches every family of alerts; `--no-alerts` leaves them all out."""
    said(capsys, "--export", str(tmp_path / "set"), "--set", "truncated_share=0.02")
    said(capsys, "--export", str(tmp_path / "none"), "--no-alerts")
    changed = [path for path in (tmp_path / "set").rglob("*") if path.suffix == ".yaml"]

    assert len([path for path in changed if "> 0.02\n" in path.read_text()]) == 3
    without = {str(path.relative_to(tmp_path / "none")) for path in tmp_path.glob("none/*/**/*.*")}
    assert without == {path.removeprefix("dashboards/") for path in files()}


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the file system is one line."""
    (tmp_path / "taken").write_text("")
    code, text = said(capsys, "--export", str(tmp_path / "taken"))

    assert code == 1
    assert text.startswith("replymeter dashboards: ")


def rules(grafana: FakeGrafana) -> dict[str, dict[str, Any]]:
    """The alert rules that it has, by their names."""
    return {
        rule["title"]: rule for group in grafana.rule_groups.values() for rule in group["rules"]
    }


def test_it_writes_every_alert(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the folder; they ask its default Prometheus, and link to itself."""
    grafana.sources.insert(0, {"uid": "other", "name": "Other", "type": "prometheus"})
    code, text = said(capsys)

    written = rules(grafana)
    assert code == 0
    assert set(written) == {one.name for table in groups().values() for one in table if one.on}
    assert {folder for folder, _ in grafana.rule_groups} == {"replymeter"}
    assert {rule["data"][0]["datasourceUid"] for rule in written.values()} == {"prom-1"}
    for rule in written.values():
        assert rule["annotations"]["dashboard_url"].startswith(f"{grafana.url}/d/replymeter-")
    assert text.count("created    alerts ") == len(grafana.rule_groups)


def test_what_was_set_is_what_is_written(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what was changed there is put right; the groups that are equal stay."""
    said(capsys)
    rules(grafana)["ReplymeterSafetyBlocksHigh"]["for"] = "1h"
    code, text = said(
        capsys, "--set", "truncated_share=0.02", "--set", "ReplymeterTruncationAny.on=false"
    )

    written = rules(grafana)
    assert code == 0
    assert "> 0.02\n" in written["ReplymeterTruncatedFinishesHigh"]["data"][0]["model"]["expr"]
    assert "ReplymeterTruncationAny" not in written
    assert written["ReplymeterSafetyBlocksHigh"]["for"] == "10m"
    updated = [line.split()[2] for line in text.splitlines() if line.startswith("updated")]
    assert updated == ["replymeter-truncation:", "replymeter-safety:"]


def test_dashboards_alone(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """`--no-alerts` does not ask for a data source either."""
    grafana.sources = []
    code, _ = said(capsys, "--no-alerts")

    assert code == 0
    assert set(grafana.dashboards) == {board.uid for board in DASHBOARDS}
    assert grafana.rule_groups == {}


@pytest.mark.parametrize("count", [0, 2])
def test_which_prometheus_is_asked(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    """None, or several without a default: both remedies are named, and they help."""
    loki = {"uid": "loki", "name": "Loki", "type": "loki", "isDefault": True}
    several = [{"uid": f"p{n}", "name": "Mine", "type": "prometheus"} for n in range(count)]
    grafana.sources = [loki, *several]
    code, text = said(capsys)
    assert code == 1
    assert "Choose: --set grafana_datasource=<uid>; or --no-alerts" in text
    assert ("Mine (p0), Mine (p1)" if count else "but none") in text
    assert grafana.rule_groups == {}

    code, _ = said(capsys, "--set", "grafana_datasource=p1")
    assert code == 0
    assert {rule["data"][0]["datasourceUid"] for rule in rules(grafana).values()} == {"p1"}


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/datasources", 403, "role Editor, and Admin for alert rules"),
        ("/api/v1/provisioning", 403, "role Editor, and Admin for alert rules"),
        ("/api/v1/provisioning", 401, "The token is not valid there"),
    ],
)
def test_alerts_are_refused(
    grafana: FakeGrafana,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    status: int,
    words: str,
) -> None:
    """The dashboards are in place then, and the last line says what is missing."""
    answer = grafana.answer

    def refuse(method: str, asked: str, token: str, body: Any) -> tuple[int, Any]:
        refused = asked.startswith(path)
        return (status, {"message": "No"}) if refused else answer(method, asked, token, body)

    monkeypatch.setattr(grafana, "answer", refuse)
    code, text = said(capsys)

    assert code == 1
    assert set(grafana.dashboards) == {board.uid for board in DASHBOARDS}
    assert words in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "truncated_share=9"), "is not a share: more than 0, less than 1"),
        (("--set", "truncatd_share=0.1"), "did you mean truncated_share?"),
        (("--set", "ReplymeterTruncationAni.on=false"), "did you mean ReplymeterTruncationAny?"),
        (("--set", "window=15m", "--no-alerts"), "leave one out"),
    ],
)
def test_a_wrong_setting_does_nothing(
    grafana: FakeGrafana,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """It is an error before anything is asked or written."""
    for more in ((), ("--export", str(tmp_path / "files"))):
        code, text = said(capsys, *arguments, *more)
        assert code == 1
        assert words in text
    assert grafana.asked == []
    assert not (tmp_path / "files").exists()
