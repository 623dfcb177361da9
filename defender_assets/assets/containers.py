"""The external assets: the containers that Microsoft writes, upstream of the raw assets. Nothing here reads them."""

from urllib.parse import urlsplit

import dagster as dg

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.schemas import TABLES, Table
from defender_assets.metadata.specs import OWNERS, docs, spec_tags
from defender_assets.settings import Settings

# Each cloud has a portal. A page of a container there needs the subscription, which no setting has.
_PORTALS = {
    ".blob.core.windows.net": "https://portal.azure.com",
    ".blob.core.usgovcloudapi.net": "https://portal.azure.us",
    ".blob.core.chinacloudapi.cn": "https://portal.azure.cn",
}
_STORAGE_ACCOUNTS = "/#browse/Microsoft.Storage%2FStorageAccounts"


def container_specs(settings: Settings) -> list[dg.AssetSpec]:
    """Return an asset for each container of the export; its key is the container's name."""
    return [_spec(table, settings) for table in TABLES]


def _spec(table: Table, settings: Settings) -> dg.AssetSpec:
    account = settings.export_account
    place = settings.export_dir if account is None else account.endpoint
    metadata: dict[str, object] = {
        "dagster/uri": f"{place}/{table.container}",
        "container": table.container,
        "docs": docs("connect.md"),
        "account" if account else "directory": account.name if account else str(place),
    }
    portal = _portal(account) if account else None
    if portal and account:
        metadata["portal"] = dg.MetadataValue.url(portal)
        metadata["in_the_portal"] = f"Storage accounts, {account.name}, Containers, {table.container}"
    return dg.AssetSpec(
        table.container,
        group_name="export",
        kinds={"azure", "json"} if account else {"json"},
        owners=OWNERS,
        tags=spec_tags("export", layer="source"),
        metadata=metadata,
        description=(
            f"The container to which Microsoft's Streaming API appends the records of {table.hunting_name}: one blob "
            "per tenant and hour, one JSON record per line.\n\nThe sensor `new_blobs_sensor` observes its recent days "
            "when their size or number of blobs changed, at most every 10 minutes. Nothing writes to it from here."
        ),
    )


def _portal(account: AzureAccount) -> str | None:
    host = urlsplit(account.endpoint).hostname or ""
    return next((portal + _STORAGE_ACCOUNTS for suffix, portal in _PORTALS.items() if host.endswith(suffix)), None)
