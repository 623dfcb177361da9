"""The address of a webhook reaches nothing but the receiver."""

import logging
import socket
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from defender_assets.cli import main
from defender_assets.core.errors import SettingsError
from defender_assets.outputs.notifications.webhook_client import parse_retry_after, post
from defender_assets.outputs.notifications.webhooks import Webhook, notification_config
from defender_assets.settings import load_settings
from defender_assets_tests.support.days import today
from defender_assets_tests.support.notified_team import NOON, Team
from defender_assets_tests.support.webhook_receiver import DROP, PATH

TOKEN = PATH.rpartition("/")[2]
URL = f"https://hooks.slack.com{PATH}"


@pytest.mark.parametrize("answer", [200, 302, 404, 500, DROP])
def test_no_output_log_or_file_contains_the_address(
    team: Team, answer: int, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    team.slack.answers = [(answer, {"Location": "http://127.0.0.1:1/"})]
    team.lead("a")
    (report,) = team.notify()
    # log lines of other requests are kept
    logging.getLogger("urllib3.connectionpool").debug("another request")
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert TOKEN.encode() not in b"".join(files)
    assert TOKEN not in repr((report, team.config, team.notifier)) + caplog.text
    assert "another request" in caplog.text
    assert len(team.slack.asked) == 1


@pytest.mark.parametrize("after", ["", "x" * 300])
def test_an_answer_with_a_broken_header_is_logged_without_the_address(
    after: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nthis is no header{after}\r\nX: y\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            asked, _ = listening.accept()
            with asked:
                asked.recv(65536)
                asked.sendall(head.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        received = post(Webhook("slack", f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"), {}, NOON)
        thread.join()
    assert received.delivered
    assert TOKEN not in caplog.text


def test_an_unreachable_receiver_is_reported_without_its_address() -> None:
    answer = post(Webhook("slack", f"http://127.0.0.1:1{PATH}"), {}, NOON)
    assert (answer.delivered, answer.description) == (False, "no answer (ConnectionError)")


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (None, None),
        ("12", 12),
        (" 0 ", 0),
        ("99999999999999999999", 86_400),
        ("Tue, 03 Nov 2026 12:01:00 GMT", 60),
        ("Tue, 03 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("Tue, 99 Nov 2026 12:01:00 GMT", None),
        ("Tue, 03 Nov 99999999999999999999 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_parsed(after: str | None, seconds: int | None) -> None:
    assert parse_retry_after(after, NOON) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DEFENDER_SLACK_WEBHOOK", f"http://hooks.slack.com{PATH}", "use https"),
        ("DEFENDER_SLACK_WEBHOOK", f"http://127.0.0.1.example.org{PATH}", "use https"),
        ("DEFENDER_SLACK_WEBHOOK", f"ftp://hooks.slack.com{PATH}", "https://hooks.slack.com/services/…"),
        ("DEFENDER_SLACK_WEBHOOK", f"hooks.slack.com{PATH}", "https://hooks.slack.com/services/…"),
        ("DEFENDER_SLACK_WEBHOOK", f"https://user:{TOKEN}@hooks.slack.com{PATH}", "https://hooks.slack.com/services/…"),
        ("DEFENDER_SLACK_WEBHOOK", f"https://hooks:{TOKEN}{PATH}", "https://hooks.slack.com/services/…"),
        ("DEFENDER_SLACK_WEBHOOK", f"{URL} {TOKEN}", "https://hooks.slack.com/services/…"),
        ("DEFENDER_SLACK_WEBHOOK", "https://hooks.slack.com/", "names a host but no webhook"),
        ("DEFENDER_TEAMS_WEBHOOK", f"https:{PATH}", "a Teams workflow, https://….api.powerplatform.com/"),
        ("DEFENDER_TEAMS_WEBHOOK", f"https://[{PATH}", "a Teams workflow"),
        ("DEFENDER_NOTIFY_RISK", "high", "from 0 to 100, such as 80"),
        ("DEFENDER_NOTIFY_RISK", "101", "from 0 to 100"),
        ("DEFENDER_UI_URL", f"https://x:{TOKEN}@dagster.example.org", "https://dagster.example.org"),
        ("DEFENDER_UI_URL", "dagster.example.org", "https://dagster.example.org"),
        ("DEFENDER_UI_URL", "https://dagster.example.org/<b>", "https://dagster.example.org"),
        ("DEFENDER_UI_URL", "javascript:alert(1)", "https://dagster.example.org"),
        ("DEFENDER_PORTAL_URL", f"https://x:{TOKEN}@security.example", "https://security.microsoft.com"),
        ("DEFENDER_PORTAL_URL", "http://security.microsoft.us", "https://security.microsoft.com"),
        ("DEFENDER_PORTAL_URL", "security.microsoft.us", "https://security.microsoft.com"),
        ("DEFENDER_PORTAL_URL", "https://security.microsoft.us/<b>", "https://security.microsoft.com"),
    ],
)
def test_a_wrong_setting_is_one_line_without_the_secret(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({variable: value}, Path.cwd())
    message = str(error.value)
    assert message.startswith(variable)
    assert expected in message
    assert "\n" not in message
    assert TOKEN not in message


def test_valid_settings_are_read_and_treated_as_secrets() -> None:
    teams = f"https://prod-1.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?sig={TOKEN}"
    values = {
        "DEFENDER_TEAMS_WEBHOOK": teams,
        "DEFENDER_SLACK_WEBHOOK": URL,
        "DEFENDER_NOTIFY_RISK": "0",
        "DEFENDER_UI_URL": "http://dagster.internal:3000/",
    }
    settings = load_settings(values, Path.cwd())
    config = settings.notifications
    assert [(webhook.destination, webhook.url) for webhook in config.webhooks] == [("teams", teams), ("slack", URL)]
    assert (config.risk, config.ui_url) == (0, "http://dagster.internal:3000")
    assert {teams, URL, TOKEN} <= set(settings.secrets)
    assert TOKEN not in repr(settings)
    assert notification_config({}).webhooks == ()


def test_notify_and_check_never_show_the_address(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, arguments)
        assert TOKEN not in result.output
        return result.exit_code, result.output

    code, output = run("notify")
    assert code == 2
    assert "set DEFENDER_TEAMS_WEBHOOK or DEFENDER_SLACK_WEBHOOK" in output
    monkeypatch.setenv("DEFENDER_SLACK_WEBHOOK", team.slack.url)
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(team.folder))
    _, output = run("check", "--format", "json")
    assert '"name": "DEFENDER_SLACK_WEBHOOK", "value": "set", "origin": "environment"' in output
    team.lead("a", day=today(), title="\x1b[31mred")
    code, output = run("notify", "--dry-run")
    assert (code, output) == (0, "slack: New lead: \\x1b[31mred (priority 90)\n1 message would be sent.\n")
    assert run("notify", "--dry-run", "--format", "json")[0] == 0
    assert team.slack.asked == []
    team.slack.answers = [503, 200]
    code, output = run("notify")
    assert code == 1
    assert "slack: 0 notifications in 0 messages; answered 503; next try after" in output
    code, output = run("notify", "--format", "json")
    assert code == 1
    assert "waits until" in output


def test_a_bug_that_shows_a_traceback_shows_no_address(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_SLACK_WEBHOOK", team.slack.url)
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(team.folder))
    team.lead("a", day=today())

    def broken(*_: object, **__: object) -> None:
        raise AssertionError(f"HTTPConnectionPool: {team.slack.url} {PATH}")

    monkeypatch.setattr(requests.Session, "post", broken)
    result = CliRunner().invoke(main, ["notify"])
    assert result.exit_code == 1
    assert "AssertionError: HTTPConnectionPool: *** ***" in result.output
    assert TOKEN not in result.output
