import polars as pl
import pytest

from defender_assets.core.enums import PRODUCTS
from defender_assets.core.leads.products import product_of


def product(source: str | None, alert_id: str | None) -> str:
    row = pl.DataFrame({"s": [source], "a": [alert_id]}, schema={"s": pl.String, "a": pl.String})
    return str(row.select(product_of(pl.col("s"), pl.col("a"))).item())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Microsoft Defender for Endpoint", "endpoint"),
        ("microsoft defender ATP", "endpoint"),
        ("Microsoft Defender for Office 365", "office365"),
        ("Office 365 ATP", "office365"),
        ("Microsoft Defender for Identity", "identity"),
        ("Azure ATP", "identity"),
        ("Microsoft Defender for Cloud Apps", "cloud_apps"),
        ("Microsoft Cloud App Security", "cloud_apps"),
        ("Microsoft Defender XDR", "xdr"),
        ("Microsoft 365 Defender", "xdr"),
        ("Microsoft Threat Protection", "xdr"),
        ("AAD Identity Protection", "entra_id"),
        ("App Governance", "app_governance"),
        ("Microsoft Data Loss Prevention", "dlp"),
        ("Microsoft Defender for Cloud", "cloud"),
        (" Microsoft  Sentinel ", "sentinel"),
        ("MicrosoftDefenderForOffice365", "office365"),
        ("microsoft-defender-for-cloud-apps", "cloud_apps"),
        ("Microsoft_Defender_for_Endpoint", "endpoint"),
        ("Microsoft\u00a0Defender for\u200b Identity", "identity"),
        ("AADIdentityProtection", "entra_id"),
        ("OfficeATP", "office365"),
        ("MCAS", "cloud_apps"),
        ("MicrosoftDefenderForCloud", "cloud"),
    ],
)
def test_every_name_of_a_product_is_known(source: str, expected: str) -> None:
    assert product(source, "zz1") == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("da", "endpoint"), ("ed", "endpoint"), ("fa", "office365"), ("aa", "identity"), ("ri", "identity"),
        ("ca", "cloud_apps"), ("rm", "cloud_apps"), ("ma", "app_governance"), ("ad", "entra_id"), ("ra", "xdr"),
        ("ea", "xdr"), ("ta", "xdr"), ("dl", "dlp"), ("dc", "cloud"), ("sn", "sentinel"), ("ir", "other"),
    ],
)  # fmt: skip
def test_without_a_name_the_alert_id_gives_the_product(prefix: str, expected: str) -> None:
    assert product(None, f"{prefix}638_1") == expected
    assert product("Something New", f"{prefix.upper()}638_1") == expected


def test_the_name_has_priority_over_the_alert_id() -> None:
    assert product("Microsoft Sentinel", "da638_1") == "sentinel"


def test_a_bare_guid_has_no_prefix() -> None:
    assert product(None, "daaaaaaa-0000-4000-8000-000000000001") == "other"


def test_an_unknown_product_is_other() -> None:
    assert product(None, None) == "other"
    assert "other" in PRODUCTS
