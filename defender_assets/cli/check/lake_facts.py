"""Facts about the lake: whether it can be written and read back, what it holds, and which days are behind."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import polars as pl
from deltalake.exceptions import CommitFailedError

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.container import container_client
from defender_assets.core.azure.errors import as_lake_error
from defender_assets.core.errors import LakeError, redact
from defender_assets.core.lake.clock import read_clock
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.log_files import DamagedLogError
from defender_assets.core.lake.maintenance import look_for_damage
from defender_assets.core.lake.snapshots import scan
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.pipeline.staleness import StaleDay, find_stale_days
from defender_assets.core.quality.shown_parts import Shown, missing_parts
from defender_assets.core.quality.signs import read_signs
from defender_assets.core.quality.silence import tenant_silences
from defender_assets.core.raw.ingest import tenants_in_raw
from defender_assets.core.schemas import Column
from defender_assets.core.triage.statements import may_state
from defender_assets.outputs.queries.views import collected

if TYPE_CHECKING:
    from defender_assets.core.export import Export
    from defender_assets.core.pipeline.staleness import Listing
    from defender_assets.settings import Settings

# Azurite before 3.37 fails at the third
COMMITS = 3
_TRIAL = (Column("export_date", pl.Date(), "Day of the trial"), Column("number", pl.Int64(), "Number of the commit"))


@dataclass
class LakeFacts:
    """The lake. `error` says why it cannot be used; the other fields are then incomplete, unless it is `read_only`.

    `damaged` says which files are damaged and what to do, a line per table, `clock_doubt` why maintenance deletes
    nothing by age, `silent` which tenants are silent for longer than usual, and `not_shown` what the export no
    longer shows. `may_triage` says whether this identity may write statements about leads; None before the first one.
    `judged_by_others` are the days looked at with leads that other rules judged, or unknown ones.
    """

    where: str
    error: str | None = None
    read_only: bool = False
    tables: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    behind: list[StaleDay] = field(default_factory=list)
    looked_at: list[date] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    clock_doubt: str | None = None
    silent: list[str] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)
    judged_by_others: list[date] = field(default_factory=list)
    may_triage: bool | None = None

    @property
    def readable(self) -> bool:
        """Whether the other fields are complete."""
        return self.read_only or self.error is None


def inspect_lake(
    settings: "Settings", export: "Export | None", listing: "Listing", shown: Shown, now: datetime
) -> LakeFacts:
    """Return the facts; days that are behind, and silence, only if there is an export to compare with."""
    lake, today = settings.lake(), now.date()
    facts = LakeFacts(lake.describe())
    try:
        if lake.account:
            _reach(lake.account, lake.uri)
        # `damaged` says which file and what to do
        with suppress(LakeError):
            facts.may_triage = may_state(lake)
        try:
            write_and_read_back(lake, today)
        except LakeError as error:
            facts.error = str(error)
        facts.tables = [table.name for table in lake.tables if lake.exists(table.name)]
        facts.damaged = list(_damage(lake, facts.tables))
        facts.tenants = sorted(tenants_in_raw(lake))
        facts.clock_doubt = read_clock(lake, export.service_time() if export else None).doubt
        if export is not None:
            window = (today - timedelta(days=back) for back in range(settings.lookback_days + 1))
            facts.looked_at = sorted(day for day in window if day >= settings.start_date)
            # with `existing` no missing table is created: `check` must not change the lake
            facts.behind = find_stale_days(lake, export, facts.looked_at, listing, existing=facts.tables)
            facts.judged_by_others = _judged_by_others(lake, facts.looked_at, settings.scoring.version)
            signs = read_signs(lake, now, listing)
            facts.silent = [found.summary for found in tenant_silences(signs, now).values() if not found.passed]
            facts.not_shown = [found.summary for found in missing_parts(signs, shown, now).values() if not found.passed]
        facts.read_only = facts.error is not None and bool(facts.tables)
    except LakeError as error:
        facts.error = facts.error or str(error)
    return facts


def _judged_by_others(lake: Lake, days: list[date], version: str) -> list[date]:
    """Return the days with leads of another `scoring_version`, or of none; none while the leads cannot be read."""
    others = lake.read(LEADS_TABLE).filter(
        pl.col("export_date").is_in(days), pl.col("scoring_version").ne_missing(pl.lit(version))
    )
    # `damaged` says which file and what to do
    with suppress(LakeError):
        return sorted(collected(lake, others.select("export_date").unique())["export_date"])
    return []


def _damage(lake: Lake, names: list[str]) -> Iterator[str]:
    """Yield what is damaged in each table, as far as the hourly maintenance would see it."""
    for name in names:
        try:
            if found := look_for_damage(lake, name):
                yield found
        except DamagedLogError as error:
            yield str(error)


def _reach(account: AzureAccount, uri: str) -> None:
    """Ask the account for the container, because delta-rs retries longer and reports less.

    Raises:
        LakeError: when the account cannot be reached or there is no identity. Refusals are left to the trial.
    """
    from azure.core.exceptions import HttpResponseError

    with as_lake_error(account, "reach the lake"), suppress(HttpResponseError):
        container_client(account, uri).exists()


def write_and_read_back(lake: Lake, day: date) -> None:
    """Commit three times to a trial table of the lake, count its rows, and remove it.

    Raises:
        LakeError: when a commit fails or the rows are not there.
    """
    spec = TableSpec(f"_check_{secrets.token_hex(6)}", _TRIAL)
    trial = replace(lake, tables=(spec,))
    created = (
        [] if lake.account else [folder for folder in (Path(lake.uri), *Path(lake.uri).parents) if not folder.exists()]
    )
    number = 0
    try:
        for number in range(1, COMMITS + 1):
            target = trial.fenced(spec.name, day)
            row = pl.DataFrame({"export_date": [day], "number": [number]}, schema=spec.schema)
            trial.commit(target, Commit([row], number))
        found = scan(trial.open(spec.name)).select(pl.len()).collect().item()
    except CommitFailedError as error:
        raise LakeError(f"cannot commit to {lake.describe()}: {redact(str(error), lake.secrets)[:300]}") from None
    except LakeError as error:
        hint = " (commit 1 succeeded: an emulator must be Azurite 3.37 or newer)" if number > 1 else ""
        raise LakeError(f"{error}{hint}") from None
    finally:
        _remove(trial, spec.name)
        for folder in created:
            with suppress(OSError):
                folder.rmdir()
    if found != COMMITS:
        raise LakeError(f"{lake.describe()} lost rows of a trial table: {found} of {COMMITS} exist; do not use it")


def _remove(lake: Lake, name: str) -> None:
    """Remove a table, as far as the credentials allow."""
    if lake.account is None:
        shutil.rmtree(lake.table_uri(name), ignore_errors=True)
        return
    from azure.core.exceptions import AzureError

    address = urlsplit(lake.table_uri(name))
    with suppress(AzureError):
        container = container_client(lake.account, lake.uri)
        names = [str(blob.name) for blob in container.list_blobs(name_starts_with=address.path.strip("/"))]
        # a hierarchical namespace lists folders too, and they must be empty when they are deleted
        for blob in sorted(names, reverse=True):
            container.delete_blob(blob)
