"""The lake as the server reads it: the rows of one tenant, from one snapshot of each table for each answer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import polars as pl

from defender_assets.core.errors import LakeError, SettingsError
from defender_assets.core.invisible import as_pasted
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import Snapshot, scan
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.raw.ingest import tenants_in_raw
from defender_assets.core.text import escape_control_chars
from defender_assets.outputs.queries.views import collected

_TENANT = "tenant_id"


@dataclass(frozen=True)
class TenantLake(Lake):
    """A lake whose `read` returns the rows of one tenant only, whatever is asked for. Make a new one for each answer.

    A table is opened once, so that the provenance names the version that was read. None is created or changed.
    """

    tenant_id: str = ""
    opened: dict[str, Snapshot] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, lake: Lake, tenant_id: str) -> "TenantLake":
        return cls(lake.uri, lake.tables, lake.account, lake.keep_days, tenant_id)

    def read(self, name: str) -> pl.LazyFrame:
        """Return the tenant's rows of a table, empty if it was never written.

        Raises:
            LakeError: when the lake cannot be read, or the rows of the table belong to no tenant.
        """
        schema = self.spec(name).schema
        if _TENANT not in schema:
            raise LakeError(f"the rows of {name} belong to no tenant: they are not served")
        if name not in self.opened:
            if not self.exists(name):
                return pl.LazyFrame(schema=schema)
            self.opened[name] = self.snapshot(name)
        return scan(self.opened[name]).filter(pl.col(_TENANT) == self.tenant_id)

    def provenance(self) -> dict[str, Any]:
        """Return what an answer was made from: tenant, time, program, and each table with its version in the log."""
        return {
            _TENANT: self.tenant_id,
            "read_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "program": f"defender-assets {version('defender-assets')}",
            "tables": [{"table": name, "version": table.version()} for name, table in self.opened.items()],
        }


def find_tenant(lake: Lake, prefix: str | None) -> str:
    """Return the id of the only tenant of the lake, or of the only one whose id begins with the text.

    Raises:
        SettingsError: when there is none, or more than one.
        LakeError: when the lake cannot be read.
    """
    leads = collected(lake, lake.read(LEADS_TABLE).select(_TENANT).unique())
    known: list[str] = sorted({*tenants_in_raw(lake), *leads[_TENANT]})
    begins = None if prefix is None else as_pasted(prefix)
    found = [tenant for tenant in known if begins is None or (begins and tenant.startswith(begins))]
    if len(found) == 1:
        return found[0]
    of_text = f" that begin with '{escape_control_chars(prefix)}'" if prefix is not None else ""
    held = f"the lake holds {', '.join(known)}" if known else "the lake holds no tenant yet"
    raise SettingsError(f"{len(found)} tenants{of_text}: give --tenant with the id of one; {held}")
