import stat
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from defender_assets.cli import main
from defender_assets.cli.demo.scenario import prepare_export
from defender_assets.settings import load_settings
from defender_assets_tests.support.terminal import Terminal

KEY = "c2VjcmV0LWtleS1vZi1ubyBhY2NvdW50"
STRING = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=core.windows.net"
REST = ("--lake-uri", "lake", "--start-date", "2026-10-01")


def init(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["init", *arguments], input=typed)


def test_a_connection_string_is_piped_in_and_written_for_the_user_alone_and_never_shown(tmp_path: Path) -> None:
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


def test_what_no_option_gives_is_asked_for(tmp_path: Path) -> None:
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
        (("--export", "directory", "--export-dir", STRING), "", "contains a key"),
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
def test_an_answer_outside_of_the_numbers_is_asked_again_and_not_shown(tmp_path: Path, early: str) -> None:
    result = init(*REST, typed=f"{early}\n2\nhttps://acme.blob.core.windows.net\n")

    assert result.exit_code == 0, result.output
    # before the error, the output repeats what was typed
    _, _, said = result.output.partition("Error: ")
    assert said.startswith("answer 1, 2 or 3; to pipe in a connection string, use --export connection-string")
    assert KEY not in said
    assert load_settings({}, tmp_path).export_account is not None


def test_an_existing_file_is_left_alone_or_kept_as_old(tmp_path: Path) -> None:
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
        assert (
            "Settings kept from it: DEFENDER_LOOKBACK_DAYS, DEFENDER_NOTIFY_RISK, DEFENDER_SLACK_WEBHOOK"
            in replaced.output
        )
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


def test_nothing_is_written_when_the_answers_end_early(tmp_path: Path) -> None:
    assert init(typed="2\nhttps://acme.blob.core.windows.net\n").exit_code == 1

    assert list(tmp_path.iterdir()) == []


def test_quotes_and_backslashes_are_read_back(tmp_path: Path) -> None:
    assert init("--export", "directory", "--export-dir", r"it's a\dir", *REST).exit_code == 0

    assert load_settings({}, tmp_path).export_dir == tmp_path / r"it's a\dir"


def test_a_kept_key_that_does_not_fit_the_new_lake_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    content = f"DEFENDER_LAKE_CONNECTION_STRING='{STRING}'\n"
    (tmp_path / ".env").write_text(content)

    result = init("--export", "directory", "--export-dir", "export", *REST, "--force")

    assert result.exit_code == 2
    assert "DEFENDER_LAKE_CONNECTION_STRING" in result.output
    assert KEY not in result.output
    assert (tmp_path / ".env").read_text() == content


@pytest.mark.parametrize("typed", ["", "\n"])
def test_export_and_lake_are_always_written_so_the_demo_is_read_no_more(tmp_path: Path, typed: str) -> None:
    prepare_export(tmp_path)
    assert load_settings({}, tmp_path).reads_demo
    lake = () if typed else ("--lake-uri", ".defender/lake")

    result = init("--export", "directory", "--export-dir", "export", *lake, "--start-date", "2026-10-01", typed=typed)

    assert result.exit_code == 0, result.output
    settings = load_settings({}, tmp_path)
    assert not settings.reads_demo
    assert (settings.export_dir, settings.lake_uri) == (tmp_path / "export", str(tmp_path / ".defender" / "lake"))
    assert settings.origins.keys() == {"DEFENDER_EXPORT_DIR", "DEFENDER_LAKE_URI", "DEFENDER_START_DATE"}


def test_a_demo_of_an_older_version_is_named_and_left_alone(tmp_path: Path) -> None:
    old = tmp_path / ".defender"
    (old / "lake").mkdir(parents=True)
    (old / "demo.json").write_text("{}")

    result = init("--export", "directory", "--export-dir", "export", *REST)

    assert result.exit_code == 0, result.output
    assert "rm -r .defender/demo.json .defender/lake\n" in result.output
    assert {path.name for path in old.iterdir()} == {"demo.json", "lake"}


def test_a_wrong_answer_is_asked_again_on_the_spot(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = "yes\n7\nfile\nfile/below\nexport/lake\nhttp://acme.example\nlake\n"

    result = init(typed=f"3\nno\nexport\n{places}soon\n0226-01-01\n2026-10-01\n")

    assert result.exit_code == 0, result.output
    errors = [line for line in result.output.splitlines() if "Error: " in line]
    assert ["DEFENDER_EXPORT_DIR" in line for line in errors] == [True] + [False] * 8
    assert ["DEFENDER_LAKE_URI" in line for line in errors] == [False] + [True] * 6 + [False] * 2
    settings = load_settings({}, tmp_path)
    assert (settings.export_dir, settings.lake_uri) == (tmp_path / "export", str(tmp_path / "lake"))
    assert settings.start_date == date(2026, 10, 1)


@pytest.mark.parametrize("place", ["yes", "file"])
def test_a_lake_option_without_sense_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")

    result = init("--export", "directory", "--export-dir", "export", "--lake-uri", place)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: DEFENDER_LAKE_URI")
    assert not (tmp_path / ".env").exists()


def test_old_values_are_offered_when_the_file_is_replaced(tmp_path: Path) -> None:
    first = init("--export", "entra", "--account-url", "https://acme.blob.core.windows.net", *REST)
    assert first.exit_code == 0

    result = init("--force", typed="\n\n\n\n")

    assert result.exit_code == 0, result.output
    for shown in ("Number [2]", "[https://acme.blob.core.windows.net]", "[lake]", "[2026-10-01]"):
        assert shown in result.output
    assert (tmp_path / ".env").read_text() == (tmp_path / ".env.old").read_text()


@pytest.mark.parametrize(
    ("answers", "question"),
    [
        ((), "Number [1]: "),
        ((("Number [1]: ", "1"),), "Connection string (not shown): "),
        ((("Number [1]: ", "2"),), "URL of the account's blob service: "),
        ((("Number [1]: ", "3"),), "Directory: "),
        ((("Number [1]: ", "3"), ("Directory: ", "export")), "[.defender/lake]: "),
        ((("Number [1]: ", "3"), ("Directory: ", "export"), ("[.defender/lake]: ", "")), "[2026-01-01]: "),
    ],
)
def test_ctrl_c_at_a_question_ends_at_once(tmp_path: Path, answers: tuple[tuple[str, str], ...], question: str) -> None:
    with Terminal("init") as terminal:
        for asked, answer in answers:
            terminal.wait_for(asked)
            terminal.type(f"{answer}\n")
        terminal.wait_for(question)

        assert terminal.interrupt() == 1
        assert terminal.shown.endswith("Aborted!\n")
    assert list(tmp_path.iterdir()) == []


def test_an_old_connection_string_is_kept_by_enter_and_never_shown(tmp_path: Path) -> None:
    assert init("--export", "connection-string", *REST, typed=f"{STRING}\n").exit_code == 0

    with Terminal("init", "--force") as terminal:
        terminal.wait_for("Number [1]: ")
        terminal.type("\n")
        terminal.wait_for("Enter keeps the old one): ")
        terminal.type("AccountKey=other\n")
        # what is typed before a hidden question is discarded
        terminal.wait_for("Enter keeps the old one): ", times=2)
        terminal.type("\n")
        terminal.wait_for("[lake]: ")
        terminal.type("\n\n")

        assert terminal.end() == 0
        assert "holds neither AccountName nor BlobEndpoint" in terminal.shown
        assert KEY not in terminal.shown
        assert "AccountKey=other" not in terminal.shown
    assert (tmp_path / ".env").read_text() == (tmp_path / ".env.old").read_text()
