import stat
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from defender_assets.cli import main
from defender_assets.cli.demo.place import Place
from defender_assets.core.export import DirectoryExport
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.settings import load_settings
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records

KEY = "c2VjcmV0LWtleS1vZi1ubyBhY2NvdW50"
STRING = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=core.windows.net"
REST = ("--lake-uri", "lake", "--start-date", "2026-10-01")


def init(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["init", *arguments], input=typed)


def test_a_connection_string_is_piped_in_written_for_the_user_alone_and_never_shown(tmp_path: Path) -> None:
    result = init("--export", "connection-string", *REST, typed=f"{STRING}\n")

    assert result.exit_code == 0, result.output
    assert KEY not in result.output
    written = tmp_path / ".env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    settings = load_settings({}, tmp_path)
    assert settings.export_account is not None
    assert settings.export_account.key == KEY
    assert settings.start_date == date(2026, 10, 1)
    assert settings.lake_uri == str(tmp_path / "lake")


def test_whatever_is_not_said_is_asked_for(tmp_path: Path) -> None:
    result = init(typed="2\nhttps://acme.blob.core.windows.net\n\n\n")

    assert result.exit_code == 0, result.output
    assert "defender-assets check" in result.output
    settings = load_settings({}, tmp_path)
    assert settings.export_account is not None
    assert settings.export_account.auth_method == "Entra ID"


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("--export", "connection-string"), "no connection string\n", "is not a connection string"),
        (("--export", "connection-string"), f"AccountKey={KEY}\n", "holds neither AccountName nor BlobEndpoint"),
        (("--export", "connection-string"), "\n", "no connection string was piped in"),
        (("--export", "directory", "--export-dir", STRING), "", "holds a key"),
        (("--export", "entra", "--account-url", "http://acme.example"), "", "uses plain http"),
    ],
)
def test_a_wrong_value_is_one_line_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], typed: str, said: str
) -> None:
    result = init(*arguments, *REST, typed=typed)

    assert result.exit_code == 2
    assert said in result.output
    assert KEY not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("early", [STRING, "0", "4", "entra"])
def test_an_answer_that_is_none_of_the_numbers_is_asked_again_and_not_shown(tmp_path: Path, early: str) -> None:
    result = init(*REST, typed=f"{early}\n2\nhttps://acme.blob.core.windows.net\n")

    assert result.exit_code == 0, result.output
    # before the error stands what the terminal shows of the typing itself
    _, _, said = result.output.partition("Error: ")
    assert said.startswith("answer 1, 2 or 3; a connection string that is piped in wants --export connection-string")
    assert KEY not in said
    assert load_settings({}, tmp_path).export_account is not None


def test_a_file_that_is_there_is_left_alone_or_kept(tmp_path: Path) -> None:
    first = (
        "DEFENDER_LOOKBACK_DAYS=5\nDEFENDER_START_DATE=2020-01-01\nDEFENDER_NOTIFY_RISK=\n"
        f"DEFENDER_SLACK_WEBHOOK='https://x.example/{KEY}'\n"
    )
    (tmp_path / ".env").write_text(first)
    (tmp_path / ".env").chmod(0o644)

    refused = init("--export", "directory", "--export-dir", "export", *REST)
    assert refused.exit_code == 2
    assert "--force" in refused.output
    for _ in range(2):
        replaced = init("--export", "directory", "--export-dir", "export", *REST, "--force")
        assert replaced.exit_code == 0
        assert "taken over: DEFENDER_LOOKBACK_DAYS, DEFENDER_NOTIFY_RISK, DEFENDER_SLACK_WEBHOOK" in replaced.output
        assert KEY not in replaced.output

    assert (tmp_path / ".env.old").read_text() == first
    assert stat.S_IMODE((tmp_path / ".env.old").stat().st_mode) == 0o600
    assert (tmp_path / ".env.old1").exists()
    settings = load_settings({"DEFENDER_NOTIFY_RISK": "10"}, tmp_path)
    assert (settings.export_dir, settings.lookback_days) == (tmp_path / "export", 5)
    assert settings.notifications.risk == load_settings({}, Path("/")).notifications.risk
    assert (settings.start_date, settings.notifications.webhooks[0].url) == (
        date(2026, 10, 1),
        f"https://x.example/{KEY}",
    )


def test_nothing_is_written_when_it_is_broken_off(tmp_path: Path) -> None:
    assert init(typed="2\nhttps://acme.blob.core.windows.net\n").exit_code == 1

    assert list(tmp_path.iterdir()) == []


def test_quotes_and_backslashes_come_through(tmp_path: Path) -> None:
    assert init("--export", "directory", "--export-dir", r"it's a\dir", *REST).exit_code == 0

    assert load_settings({}, tmp_path).export_dir == tmp_path / r"it's a\dir"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demo's directory, after a demo, and in it something that is not the demo's."""
    place = Place.of(tmp_path)
    place.simulated()
    for name in ("lake", "dagster", "mine"):
        (place.root / name).mkdir()
    return place.root


def test_the_demo_is_removed_when_the_user_agrees(tmp_path: Path, demo: Path) -> None:
    result = init("--export", "directory", "--export-dir", "export", typed="\n\n\n")

    assert result.exit_code == 0, result.output
    assert "made-up alerts" in result.output
    assert [path.name for path in demo.iterdir()] == ["mine"]
    assert load_settings({}, tmp_path).lake_uri == str(demo / "lake")


def test_a_lake_into_which_real_alerts_came_is_not_removed(tmp_path: Path, demo: Path) -> None:
    account = Folder(tmp_path / "account")
    account.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    ingest(local_lake(demo / "lake"), DirectoryExport(account.root), ALERT_INFO, DAY)

    result = init("--export", "directory", "--export-dir", "account", typed="\n\n")

    assert result.exit_code == 0, result.output
    assert "made-up" not in result.output
    assert local_lake(demo / "lake").read(ALERT_INFO.raw).collect().height == 1


def test_a_demo_that_cannot_be_removed_is_one_line_and_still_known_as_one(tmp_path: Path, demo: Path) -> None:
    (demo / "export").rename(demo / "elsewhere")
    (demo / "export").symlink_to(demo / "elsewhere")

    result = init("--export", "directory", "--export-dir", "export", typed="\n\n\n")

    assert result.exit_code == 2
    assert f"remove {demo} by hand" in result.output
    assert (demo / "demo.json").exists()
    assert any((demo / "elsewhere").iterdir())
    assert not (tmp_path / ".env").exists()


def test_a_demo_of_another_version_is_left_alone(demo: Path) -> None:
    (demo / "demo.json").write_text('{"start": "2026-11-01", "lakes": 2')

    result = init("--export", "directory", "--export-dir", "export", typed="\n\n")

    assert result.exit_code == 0, result.output
    assert (demo / "lake").is_dir()


def test_the_demo_stays_when_the_answers_are_not_finished_or_wrong(demo: Path) -> None:
    assert init("--export", "directory", "--export-dir", "export", typed="\n\n").exit_code == 1
    assert init("--export", "directory", "--export-dir", "export", typed="\naz://\n\n").exit_code == 2
    assert (demo / "demo.json").exists()
    assert (demo / "export").exists()


def test_a_key_of_the_old_lake_that_the_new_one_cannot_have_is_told_before_anything_is_written(tmp_path: Path) -> None:
    held = f"DEFENDER_LAKE_CONNECTION_STRING='{STRING}'\n"
    (tmp_path / ".env").write_text(held)

    result = init("--export", "directory", "--export-dir", "export", *REST, "--force")

    assert result.exit_code == 2
    assert "DEFENDER_LAKE_CONNECTION_STRING" in result.output
    assert KEY not in result.output
    assert (tmp_path / ".env").read_text() == held


def test_real_alerts_never_come_among_the_demos(tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    export = ("--export", "directory", "--export-dir", "export")

    for refused in (
        init(*export, typed="n\n\n"),
        init(*export, "--lake-uri", str(demo / "lake")),
        init(*export, "--lake-uri", "~/.defender/lake"),
    ):
        assert refused.exit_code == 2
        assert "the demo's made-up alerts: remove" in refused.output
        assert not (tmp_path / ".env").exists()
    assert init(*export, *REST).exit_code == 0
    assert {path.name for path in demo.iterdir()} == {"demo.json", "export", "lake", "dagster", "mine"}
