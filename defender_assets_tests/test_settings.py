"""The settings: their sources, the objects made from them, and the errors for wrong values."""

import base64
import os
from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path

import pytest
from dagster._core.secrets.env_file import get_env_var_dict

from defender_assets.core.azure.account import EMULATOR_ENDPOINT, EMULATOR_KEY, AzureAccount
from defender_assets.core.errors import SettingsError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.export.leave_out import SelectedExport
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.settings import DEMO, DEMO_SCENARIO, VARIABLES, Settings, load_settings

KEY = base64.b64encode(b"a key that belongs to nobody at all, but looks like a real one..").decode()
SIGNATURE = "dGhpcyBpcyBubyBzaWduYXR1cmU%3D"
SAS = f"sv=2024-11-04&ss=b&srt=sco&sp=rl&sig={SIGNATURE}"
PORTAL = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.windows.net"
CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL, PORTAL_URL = "AZURE_STORAGE_ACCOUNT_URL", "DEFENDER_PORTAL_URL"


def load(environ: Mapping[str, str] | None = None, **variables: str) -> Settings:
    return load_settings({**(environ or {}), **variables}, Path.cwd())


def account_of(text: str) -> AzureAccount:
    account = load({CONNECTION_STRING: text}).export_account
    assert account is not None
    return account


def test_the_defaults_are_below_the_working_directory(tmp_path: Path) -> None:
    settings = load()
    assert settings.export() == DirectoryExport(tmp_path / ".defender/export")
    assert settings.lake().uri == str(tmp_path / ".defender/lake")
    assert (settings.start_date, settings.lookback_days, settings.origins) == (date(2026, 1, 1), 3, {})
    assert settings.sensor_seconds == 10


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The directory of a demo that begins on 2026-11-01."""
    (tmp_path / DEMO).mkdir(parents=True)
    (tmp_path / DEMO_SCENARIO).write_text('{"start": "2026-11-01", "days": 4}')
    return tmp_path / DEMO


def test_the_demo_is_read_where_no_export_no_lake_and_no_default_lake_is_there(demo: Path) -> None:
    settings = load(DEFENDER_LOOKBACK_DAYS="5")
    assert settings.reads_demo
    assert settings.export() == DirectoryExport(demo / "export")
    assert settings.lake().uri == str(demo / "lake")
    assert settings.start_date == date(2026, 11, 1)
    assert settings.origins == {
        "DEFENDER_EXPORT_DIR": "demo",
        "DEFENDER_LAKE_URI": "demo",
        "DEFENDER_START_DATE": "demo",
        "DEFENDER_LOOKBACK_DAYS": "environment",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (CONNECTION_STRING, PORTAL),
        ("AZURE_STORAGE_ACCOUNT_URL", "https://acc.blob.core.windows.net"),
        ("DEFENDER_EXPORT_DIR", ".defender/export"),
        ("DEFENDER_LAKE_URI", ".defender/lake"),
    ],
)
def test_an_export_or_a_lake_that_is_set_keeps_the_demo_out(demo: Path, name: str, value: str) -> None:
    settings = load({name: value})
    assert not settings.reads_demo
    assert (settings.lake_uri, settings.start_date) == (str(demo.parent / "lake"), date(2026, 1, 1))
    assert settings.origins == {name: "environment"}


def test_a_default_lake_that_exists_keeps_the_demo_out(demo: Path) -> None:
    (demo.parent / "lake").mkdir()
    settings = load()
    assert (settings.reads_demo, settings.lake_uri) == (False, str(demo.parent / "lake"))


def test_a_first_day_that_is_set_wins_over_the_demos(demo: Path) -> None:
    settings = load(DEFENDER_START_DATE="2026-10-01")
    assert (settings.reads_demo, settings.start_date) == (True, date(2026, 10, 1))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"start": 1}', '{"start": "soon"}'])
def test_a_scenario_that_cannot_be_read_leaves_the_default_first_day(demo: Path, content: str) -> None:
    (demo / "demo.json").write_text(content)
    settings = load()
    assert (settings.reads_demo, settings.start_date) == (True, date(2026, 1, 1))


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEFENDER_LOOKBACK_DAYS", "12")
    assert load_settings().lookback_days == 12
    assert load_settings().lake_uri == str(tmp_path / ".defender/lake")


def test_dotenv_overrides_the_environment_and_the_origin_is_kept(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        'DEFENDER_START_DATE="2026-05-01"\nDEFENDER_LOOKBACK_DAYS\nexport DEFENDER_LAKE_URI=lake # ours\n'
    )
    settings = load(DEFENDER_START_DATE="2020-01-01", DEFENDER_LOOKBACK_DAYS="9")
    assert (settings.start_date, settings.lookback_days) == (date(2026, 5, 1), 9)
    assert settings.lake_uri == str(tmp_path / "lake")
    assert settings.origins == {
        "DEFENDER_START_DATE": str(dotenv),
        "DEFENDER_LAKE_URI": str(dotenv),
        "DEFENDER_LOOKBACK_DAYS": "environment",
    }


def test_an_empty_value_in_dotenv_unsets_the_environment_as_in_dagster(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEFENDER_LAKE_URI=\n")
    environ = {"DEFENDER_LAKE_URI": "elsewhere"}
    in_dagster = load({**environ, **get_env_var_dict(str(tmp_path))})
    assert load(environ).lake_uri == in_dagster.lake_uri == str(tmp_path / ".defender/lake")
    assert load(environ).origins == {}


def test_blank_values_are_ignored() -> None:
    assert load(dict.fromkeys(VARIABLES, "  ")) == load()


def test_only_relative_paths_are_below_the_working_directory(tmp_path: Path) -> None:
    settings = load(DEFENDER_EXPORT_DIR="in/here", DEFENDER_LAKE_URI="out/")
    assert (settings.export_dir, settings.lake_uri) == (tmp_path / "in/here", str(tmp_path / "out"))
    settings = load(DEFENDER_EXPORT_DIR="/exports", DEFENDER_LAKE_URI="~/lake")
    assert (settings.export_dir, settings.lake_uri) == (Path("/exports"), str(Path.home() / "lake"))


@pytest.mark.parametrize(
    ("text", "name", "endpoint"),
    [
        (PORTAL, "acc", "https://acc.blob.core.windows.net"),
        (f"AccountKey={KEY};AccountName=acc", "acc", "https://acc.blob.core.windows.net"),
        (f" accountkey = {KEY} ; ACCOUNTNAME=acc; ", "acc", "https://acc.blob.core.windows.net"),
        (f'"{PORTAL}"', "acc", "https://acc.blob.core.windows.net"),
        (PORTAL.replace("windows.net", "chinacloudapi.cn"), "acc", "https://acc.blob.core.chinacloudapi.cn"),
        (PORTAL.replace("windows.net", "usgovcloudapi.net"), "acc", "https://acc.blob.core.usgovcloudapi.net"),
        (
            f"BlobEndpoint=https://acc.blob.core.windows.net/;AccountKey={KEY}",
            "acc",
            "https://acc.blob.core.windows.net",
        ),
        (
            f"AccountName=acc;AccountKey={KEY};BlobEndpoint=https://blobs.example.org",
            "acc",
            "https://blobs.example.org",
        ),
        (f"BlobEndpoint=http://127.0.0.1:10000/acc;AccountKey={KEY}", "acc", "http://127.0.0.1:10000/acc"),
        (f"BlobEndpoint=http://localhost:10000/acc;AccountKey={KEY}", "acc", "http://localhost:10000/acc"),
        (f"BlobEndpoint=http://[::1]:10000/acc;AccountKey={KEY}", "acc", "http://[::1]:10000/acc"),
    ],
)
def test_connection_strings_are_accepted_as_copied_from_the_portal(text: str, name: str, endpoint: str) -> None:
    account = account_of(text)
    assert (account.name, account.endpoint, account.key, account.sas) == (name, endpoint, KEY, None)
    assert account.auth_method == "account key"


@pytest.mark.parametrize("question", ["", "?"])
@pytest.mark.parametrize(
    "head",
    [
        "BlobEndpoint=https://acc.blob.core.windows.net/",
        "AccountName=acc",
        "EndpointSuffix=core.windows.net;AccountName=acc",
    ],
)
def test_a_shared_access_signature_is_kept_whole(head: str, question: str) -> None:
    for text in (f"{head};SharedAccessSignature={question}{SAS}", f"SharedAccessSignature={question}{SAS};{head}"):
        account = account_of(text)
        assert (account.name, account.endpoint) == ("acc", "https://acc.blob.core.windows.net")
        assert (account.key, account.sas, account.auth_method) == (None, SAS, "shared access signature")


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "usedevelopmentstorage=TRUE;"])
def test_development_storage_is_the_emulator(text: str) -> None:
    assert account_of(text) == AzureAccount("devstoreaccount1", EMULATOR_ENDPOINT, key=EMULATOR_KEY)


@pytest.mark.parametrize(
    ("variables", "portal"),
    [
        ({}, "https://security.microsoft.com"),
        ({ACCOUNT_URL: "https://acme.blob.core.windows.net"}, "https://security.microsoft.com"),
        ({ACCOUNT_URL: "https://acme.blob.core.usgovcloudapi.net"}, "https://security.microsoft.us"),
        ({ACCOUNT_URL: "https://usgovcloudapi.net.example.org"}, "https://security.microsoft.com"),
        (
            {ACCOUNT_URL: "https://acme.blob.core.usgovcloudapi.net", PORTAL_URL: "https://portal.example/"},
            "https://portal.example",
        ),
    ],
)
def test_links_lead_to_the_portal_of_the_accounts_cloud_or_the_one_that_is_set(
    variables: Mapping[str, str], portal: str
) -> None:
    settings = load_settings(variables, Path("/work"))
    assert (settings.portal_url, settings.notifications.portal_url) == (portal, portal)


def test_an_account_url_uses_entra_id() -> None:
    settings = load(AZURE_STORAGE_ACCOUNT_URL="https://acc.blob.core.windows.net/")
    assert settings.export_account == AzureAccount("acc", "https://acc.blob.core.windows.net")
    assert settings.export().describe() == "https://acc.blob.core.windows.net (Entra ID)"
    assert isinstance(settings.export(), AzureExport)


ACCOUNT = AzureAccount("acc", "https://acc.blob.core.windows.net", key=KEY)
OTHER = AzureAccount("other", "https://other.blob.core.windows.net", key=KEY)
OTHER_STRING = f"AccountName=other;AccountKey={KEY}"


@pytest.mark.parametrize(
    ("variables", "account"),
    [
        ({CONNECTION_STRING: PORTAL, "DEFENDER_LAKE_URI": "az://lake/tables/"}, ACCOUNT),
        ({CONNECTION_STRING: PORTAL, "DEFENDER_LAKE_URI": "abfss://lake@acc.dfs.core.windows.net/t"}, ACCOUNT),
        (
            {CONNECTION_STRING: PORTAL, "DEFENDER_LAKE_URI": "abfss://lake@other.dfs.core.windows.net/t"},
            AzureAccount("other", "https://other.blob.core.windows.net"),
        ),
        (
            {"DEFENDER_LAKE_URI": "abfss://lake@other.dfs.core.windows.net/t"},
            AzureAccount("other", "https://other.blob.core.windows.net"),
        ),
        (
            {
                CONNECTION_STRING: PORTAL,
                "DEFENDER_LAKE_URI": "az://lake/t",
                "DEFENDER_LAKE_CONNECTION_STRING": OTHER_STRING,
            },
            OTHER,
        ),
        ({"DEFENDER_LAKE_URI": "az://lake/t", "DEFENDER_LAKE_CONNECTION_STRING": OTHER_STRING}, OTHER),
        (
            {"AZURE_STORAGE_ACCOUNT_URL": "https://acc.blob.core.windows.net", "DEFENDER_LAKE_URI": "az://lake"},
            AzureAccount("acc", "https://acc.blob.core.windows.net"),
        ),
    ],
)
def test_a_lake_in_azure_uses_the_right_account(variables: Mapping[str, str], account: AzureAccount) -> None:
    lake = load(variables).lake()
    assert lake.account == account
    assert lake.uri == variables["DEFENDER_LAKE_URI"].rstrip("/")


@pytest.mark.parametrize(
    "names",
    [
        (CONNECTION_STRING, "AZURE_STORAGE_ACCOUNT_URL"),
        (CONNECTION_STRING, "DEFENDER_EXPORT_DIR"),
        ("AZURE_STORAGE_ACCOUNT_URL", "DEFENDER_EXPORT_DIR"),
        (CONNECTION_STRING, "AZURE_STORAGE_ACCOUNT_URL", "DEFENDER_EXPORT_DIR"),
    ],
)
def test_at_most_one_variable_names_the_export(names: tuple[str, ...]) -> None:
    values = {
        CONNECTION_STRING: PORTAL,
        "AZURE_STORAGE_ACCOUNT_URL": "https://acc.blob.core.windows.net",
        "DEFENDER_EXPORT_DIR": "export",
    }
    with pytest.raises(SettingsError, match="keep one of them") as error:
        load({name: values[name] for name in names})
    assert all(name in str(error.value) for name in names)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        (CONNECTION_STRING, KEY, "neither AccountKey nor SharedAccessSignature"),
        (CONNECTION_STRING, "acc", "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…"),
        (CONNECTION_STRING, f"https://acc.blob.core.windows.net/?{SAS}", "is a SAS URL or token"),
        (CONNECTION_STRING, f"?{SAS}", "SharedAccessSignature=…"),
        (CONNECTION_STRING, f"AccountName=acc;AccountKey=x{KEY}", "truncated or mistyped"),
        (CONNECTION_STRING, f"BlobEndpoint=https://acc.dfs.core.windows.net;SharedAccessSignature={SAS}", "acc.blob."),
        ("AZURE_STORAGE_ACCOUNT_URL", "http://127.0.0.1:10000/devstoreaccount1", "UseDevelopmentStorage=true"),
        ("AZURE_STORAGE_ACCOUNT_URL", "https://acc.blob.core.windows.net/container", "the account alone"),
        ("AZURE_STORAGE_ACCOUNT_URL", "https://acc.dfs.core.windows.net", "acc.blob.core.windows.net"),
        ("DEFENDER_LAKE_URI", "az://My_Lake/t", "3 to 63 lower case letters"),
        ("DEFENDER_LAKE_URI", "az://ab/t", "3 to 63 lower case letters"),
        ("DEFENDER_LAKE_URI", f"{PORTAL};BlobEndpoint=https://acc.blob.core.windows.net", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", PORTAL, CONNECTION_STRING),
        ("DEFENDER_MUTED", PORTAL, CONNECTION_STRING),
        (CONNECTION_STRING, "AccountName=acc;AccountKey=", "neither AccountKey nor SharedAccessSignature"),
        (CONNECTION_STRING, f"AccountKey={KEY}", "neither AccountName nor BlobEndpoint"),
        (CONNECTION_STRING, f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY}", "use https"),
        (CONNECTION_STRING, f"BlobEndpoint=http://10.0.0.4:10000/acc;AccountKey={KEY}", "use https"),
        (CONNECTION_STRING, f"BlobEndpoint=http://127.0.0.1.example.org/acc;AccountKey={KEY}", "use https"),
        (CONNECTION_STRING, f"BlobEndpoint=acc.blob.core.windows.net;AccountKey={KEY}", "https://ACCOUNT.blob"),
        (CONNECTION_STRING, f"BlobEndpoint=https://acc:99999999;AccountKey={KEY}", "https://ACCOUNT.blob"),
        (
            CONNECTION_STRING,
            f"BlobEndpoint=https://user:{SIGNATURE}@acc.example;AccountKey={KEY}",
            "https://ACCOUNT.blob",
        ),
        ("AZURE_STORAGE_ACCOUNT_URL", f"https://acc.blob.core.windows.net/?{SAS}", "SharedAccessSignature=…"),
        ("AZURE_STORAGE_ACCOUNT_URL", "http://acc.blob.core.windows.net", "use https"),
        ("AZURE_STORAGE_ACCOUNT_URL", "acc", "https://ACCOUNT.blob.core.windows.net"),
        ("AZURE_STORAGE_ACCOUNT_URL", PORTAL, "https://ACCOUNT.blob.core.windows.net"),
        ("DEFENDER_EXPORT_DIR", f"https://acc.blob.core.windows.net/?{SAS}", ".defender/export"),
        ("DEFENDER_EXPORT_DIR", "https:/acc.blob.core.windows.net", ".defender/export"),
        ("DEFENDER_LAKE_URI", "s3://bucket/lake", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", "az://", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", f"az://lake/t?{SAS}", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", "az://lake/t", "DEFENDER_LAKE_CONNECTION_STRING"),
        ("DEFENDER_LAKE_URI", "az:/lake/t", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", "az://lake@acc/t", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", f"abfss://lake:{SIGNATURE}@acc.dfs.core.windows.net/t", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", "az://[lake/t", "3 to 63 lower case letters"),
        ("DEFENDER_LAKE_URI", "abfss://lake@[acc/t", "az://CONTAINER/PATH"),
        ("DEFENDER_LAKE_URI", "~nobody-of-that-name/lake", "the home of an unknown user"),
        ("AZURE_STORAGE_ACCOUNT_URL", "https://acc.blob.core.windows.net#x", "https://ACCOUNT.blob"),
        ("AZURE_STORAGE_ACCOUNT_URL", "https://a cc.blob.core.windows.net", "https://ACCOUNT.blob"),
        ("DEFENDER_LAKE_URI", "az://lake/my tables", "between single slashes"),
        ("DEFENDER_LAKE_URI", "az://lake//t", "between single slashes"),
        ("DEFENDER_LAKE_URI", "lake[1]", "because of '['"),
        ("DEFENDER_LAKE_URI", "env=prod/lake", "because of '='"),
        ("DEFENDER_LAKE_URI", "a%20lake", "because of '%20'"),
        ("DEFENDER_LAKE_CONNECTION_STRING", OTHER_STRING, "az://CONTAINER/PATH"),
        ("DEFENDER_START_DATE", "01.02.2026", "2026-01-01"),
        ("DEFENDER_START_DATE", "2026-W01-1", "2026-01-01"),
        ("DEFENDER_START_DATE", "0226-01-01", "from 1970-01-01 to 2999-12-31"),
        ("DEFENDER_START_DATE", "9999-12-31", "from 1970-01-01 to 2999-12-31"),
        ("DEFENDER_LOOKBACK_DAYS", "9" * 5000, "from 0 to 366"),
        ("DEFENDER_RETENTION_DAYS", "30", "from 31 to 36500"),
        ("DEFENDER_RETENTION_DAYS", "99999999", "from 31 to 36500"),
        ("DEFENDER_START_DATE", "2026-02-30", "2026-01-01"),
        ("DEFENDER_LOOKBACK_DAYS", "three", "from 0 to 366"),
        ("DEFENDER_LOOKBACK_DAYS", "-1", "from 0 to 366"),
        ("DEFENDER_LOOKBACK_DAYS", "367", "from 0 to 366"),
        ("DEFENDER_LOOKBACK_DAYS", "1.5", "from 0 to 366"),
        ("DEFENDER_LOOKBACK_DAYS", "٣", "from 0 to 366"),
        ("DEFENDER_SENSOR_SECONDS", "0", "a number of seconds from 5 to 3600"),
        ("DEFENDER_SENSOR_SECONDS", "4", "from 5 to 3600"),
        ("DEFENDER_SENSOR_SECONDS", "3601", "from 5 to 3600"),
        ("DEFENDER_SENSOR_SECONDS", "10s", "such as 30"),
    ],
)
def test_a_wrong_value_fails_with_one_line_with_the_variable_and_a_correct_value(
    variable: str, value: str, right: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load({variable: value})
    message = str(error.value)
    assert variable in message
    assert right in message
    assert "\n" not in message
    assert KEY not in message
    assert SIGNATURE not in message


def test_a_lake_and_its_connection_string_name_the_same_account() -> None:
    lake = "abfss://lake@other.dfs.core.windows.net/t"
    with pytest.raises(SettingsError, match="'other', but DEFENDER_LAKE_CONNECTION_STRING is of 'acc'"):
        load({"DEFENDER_LAKE_URI": lake, "DEFENDER_LAKE_CONNECTION_STRING": PORTAL})


def test_the_lake_may_be_the_root_of_a_file_system() -> None:
    assert load({"DEFENDER_LAKE_URI": "/"}).lake_uri == "/"


def test_a_wrong_connection_string_of_the_lake_names_its_variable() -> None:
    with pytest.raises(SettingsError, match="DEFENDER_LAKE_CONNECTION_STRING is not a connection string"):
        load({"DEFENDER_LAKE_URI": "az://lake", "DEFENDER_LAKE_CONNECTION_STRING": "acc"})


def test_a_byte_order_mark_in_dotenv_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\ufeffDEFENDER_LOOKBACK_DAYS=5\r\nDEFENDER_START_DATE=2026-02-01\r\n")
    assert load().lookback_days == 5


def test_a_dotenv_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfeDEFENDER=1")
    with pytest.raises(SettingsError, match=r"\.env cannot be read: it must be a UTF-8 text file"):
        load()


@pytest.mark.parametrize("what", ["directory", "loop", "pipe", "UTF-16"])
def test_a_dotenv_that_is_no_text_file_is_not_passed_over(tmp_path: Path, what: str) -> None:
    dotenv = tmp_path / ".env"
    make: dict[str, Callable[[], object]] = {
        "directory": dotenv.mkdir,  # as Docker makes it for a missing file that is mounted
        "loop": lambda: dotenv.symlink_to(dotenv),
        "pipe": lambda: os.mkfifo(dotenv),
        "UTF-16": lambda: dotenv.write_bytes("DEFENDER_LOOKBACK_DAYS=5\n".encode("utf-16-le")),
    }
    make[what]()
    with pytest.raises(SettingsError, match=r"\.env cannot be read: it must be a UTF-8 text file"):
        load()


@pytest.mark.parametrize(
    "line",
    [
        f'{CONNECTION_STRING}="{KEY}',
        f"{CONNECTION_STRING}: {KEY}",
        f"set {CONNECTION_STRING}={KEY}",
        f"$env:{CONNECTION_STRING} = '{KEY}'",
    ],
)
def test_a_line_of_dotenv_that_gives_a_setting_no_value_is_named_without_what_it_has(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text(f"# settings\n\n{line}\n")
    with pytest.raises(
        SettingsError, match=rf"\.env, line 3: expected {CONNECTION_STRING}=value, with any quotes"
    ) as raised:
        load()
    assert KEY not in str(raised.value)
    assert caplog.text == ""


def test_a_quote_that_is_closed_lines_later_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f'{CONNECTION_STRING}="{KEY}\nDEFENDER_AUTHOR=me\nOTHER=x"\n')
    with pytest.raises(
        SettingsError, match=rf"^{CONNECTION_STRING} has a line break in its value: close the quotes"
    ) as raised:
        load()
    assert KEY not in str(raised.value)


def test_other_lines_of_dotenv_that_are_no_assignments_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("just words here\nDEFENDER_LOOKBACK_DAYS=5\n\n=x\n")
    found = load()
    assert found.lookback_days == 5
    assert found.unknown == tuple(
        f"{tmp_path / '.env'}, line {number}, has no effect: expected NAME=value" for number in (1, 4)
    )
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({CONNECTION_STRING: f"BlobEndpoint=https://acc.blob.core.windows.net/box;SharedAccessSignature={SAS}"},) * 2,
        ({CONNECTION_STRING: f"BlobEndpoint=https://acc.blob.core.windows.net/box/;AccountName=acc;AccountKey={KEY}"},)
        * 2,
        ({ACCOUNT_URL: "https://acc.blob.core.windows.net/box"},) * 2,
        (
            {
                "DEFENDER_LAKE_URI": "az://lake",
                "DEFENDER_LAKE_CONNECTION_STRING": f"BlobEndpoint=https://acc.blob.core.windows.net/lake;SharedAccessSignature={SAS}",
            },
            ("DEFENDER_LAKE_CONNECTION_STRING",),
        ),
    ],
)
def test_an_endpoint_with_a_container_is_named(variables: dict[str, str], named: Collection[str]) -> None:
    (name,) = named
    with pytest.raises(SettingsError, match=f"^{name} names a container or a folder: expected the account") as raised:
        load(variables)
    assert SIGNATURE not in str(raised.value)


def test_an_emulator_on_another_machine_has_the_account_in_its_path() -> None:
    text = f"BlobEndpoint=https://azurite.example/devstoreaccount1;AccountName=devstoreaccount1;AccountKey={KEY}"
    assert account_of(text).endpoint == "https://azurite.example/devstoreaccount1"


def test_secrets_are_collected_and_never_shown() -> None:
    settings = load(
        {
            CONNECTION_STRING: f"AccountName=acc;SharedAccessSignature=?{SAS}",
            "DEFENDER_LAKE_URI": "az://lake",
            "DEFENDER_LAKE_CONNECTION_STRING": OTHER_STRING,
        }
    )
    assert {KEY, SAS, SIGNATURE} <= set(settings.secrets)
    for text in (
        repr(settings),
        str(settings),
        repr(settings.export()),
        repr(settings.lake()),
        settings.lake().describe(),
    ):
        for secret in settings.secrets:
            assert secret not in text


def test_the_files_of_a_team_are_below_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "risk.toml").write_text("\ufeff[severity]\nhigh = 50\n")
    (tmp_path / "muted.toml").write_text('[[mute]]\nname = "n"\nreason = "r"\ntitle = "t"\n')
    settings = load(DEFENDER_RISK_WEIGHTS="risk.toml", DEFENDER_MUTED="muted.toml")
    assert (settings.risk_weights, settings.muted) == (tmp_path / "risk.toml", tmp_path / "muted.toml")
    assert settings.scoring.weights["severity"]["high"] == 50
    assert [mute.name for mute in settings.scoring.mutes] == ["n"]
    assert load().scoring == ScoringConfig()


def test_an_export_without_what_the_team_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "out.toml").write_text('[[leave_out]]\npath = "tenantId=a/*"\nreason = "r"\n')
    settings = load(DEFENDER_LEAVE_OUT="out.toml")
    assert settings.leave_out == tmp_path / "out.toml"
    export = settings.export()
    assert isinstance(export, SelectedExport)
    assert (export.export, export.rules) == (settings.whole_export(), settings.left_out)
    assert isinstance(load().export(), DirectoryExport)


@pytest.mark.parametrize("variable", ["DEFENDER_RISK_WEIGHTS", "DEFENDER_MUTED", "DEFENDER_LEAVE_OUT"])
def test_a_missing_file_of_a_team_is_an_error(variable: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{variable} names {tmp_path / 'nowhere.toml'}, which cannot be read"):
        load({variable: "nowhere.toml"})


def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one_and_without_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DEFENDER_SLACK_WEBHOK=https://hooks.slack.com/{KEY}\nOTHER=1\n")
    environ = {"DEFENDER_LAKE": KEY, "DEFENDER_LOOKBACK_DAYS": "3", f"DEFENDER_{KEY}": "1", "defender_muted": "x"}

    lake, webhook, misplaced, lower = load(environ).unknown

    assert lake == "DEFENDER_LAKE (environment) is no setting and has no effect: the nearest one is DEFENDER_LAKE_URI"
    assert webhook.startswith(f"DEFENDER_SLACK_WEBHOK ({tmp_path / '.env'}) is no setting")
    assert webhook.endswith(": the nearest one is DEFENDER_SLACK_WEBHOOK")
    assert lower.endswith("DEFENDER_MUTED")
    assert KEY[:20] not in misplaced + lake + webhook
