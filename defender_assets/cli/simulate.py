"""`defender-assets simulate`: write a simulated export into a directory or into the configured account."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.options import DAY
from defender_assets.cli.output import console, say, table
from defender_assets.core.errors import ExportError, SettingsError
from defender_assets.core.text import pluralize

if TYPE_CHECKING:
    from defender_assets.core.azure.account import AzureAccount
    from defender_assets.core.export import Export
    from defender_assets.simulator import GroundTruth, Scenario

# bytes of a day may arrive this much later; an export that ended before needs no cut at the current time
LATE_DAYS = 3


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write into a directory.")
@click.option("--azure", is_flag=True, help="Write append blobs into the account of AZURE_STORAGE_CONNECTION_STRING.")
@click.option("--days", type=int, default=3, show_default=True, help="Days of blobs.")
@click.option("--start", type=DAY, metavar="YYYY-MM-DD", help="First day. Default: so that today is the last.")
@click.option("--devices", type=int, default=40, show_default=True, help="Devices of each tenant.")
@click.option("--tenants", type=int, default=2, show_default=True, help="Tenants that share the account.")
@click.option("--seed", type=int, default=7, show_default=True, help="Equal seeds and options give equal bytes.")
@click.option("--alerts-per-day", type=float, default=8.0, show_default=True, help="Unrelated alerts, on average.")
@click.option("--campaigns", type=int, default=3, show_default=True, help="Attacks across products, in each tenant.")
@click.option(
    "--world",
    default="",
    metavar="NAME",
    help="A realistic tenant: campaigns, bursts, slow, outbreaks, quiet or mixed.",
)
@click.option("--bad-lines", type=int, default=1, show_default=True, help="Malformed lines per table, tenant and day.")
@click.option("--no-faults", is_flag=True, help="No re-deliveries, blank lines, split appends, growth of closed hours.")
@click.option(
    "--truth", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="File for the ground truth."
)
def simulate(
    *,
    out: Path | None,
    azure: bool,
    days: int,
    start: date | None,
    no_faults: bool,
    campaigns: int,
    truth: Path | None,
    **scenario_options: Any,
) -> None:
    """Write an export as Microsoft does, faults included, and its content (the ground truth) as JSON.

    Nothing later than now is written, unless the first day is in the future. The same command later, or with more
    days, only appends.
    """
    from defender_assets.simulator import GroundTruth, Scenario
    from defender_assets.simulator.ground_truth import FILE_NAME

    if (out is None) != azure:
        raise click.UsageError("Name one destination: either --out DIR or --azure.")
    now = datetime.now(UTC)
    first = start or now.date() - timedelta(days=days - 1)
    try:
        scenario = Scenario(
            start=first,
            days=days,
            campaigns_per_tenant=campaigns,
            faults=not no_faults,
            **scenario_options,
            until=now if first <= now.date() < first + timedelta(days=days + LATE_DAYS) else None,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    observed = GroundTruth(scenario)
    try:
        new_bytes, where = _write(scenario, observed, out)
    except ValueError as error:
        raise ExportError(str(error)) from None
    if out is not None:
        truth = truth or out / FILE_NAME
    if truth is not None:
        observed.write(truth)
    _show(observed.as_dict(), new_bytes, where, truth)


def _account() -> "AzureAccount":
    from defender_assets.settings import CONNECTION_STRING, load_settings

    account = load_settings().export_account
    if account is None or not (account.key or account.sas):
        raise SettingsError(
            f"--azure writes to the account of {CONNECTION_STRING}, which is not set: set it to an account that may be "
            "written to, such as the emulator's 'UseDevelopmentStorage=true'"
        )
    return account


def _write(scenario: "Scenario", observed: "GroundTruth", out: Path | None) -> tuple[int, str]:
    """Return how many bytes were new, and where they were written."""
    from azure.core.exceptions import AzureError

    from defender_assets.core.azure.errors import describe_error
    from defender_assets.core.azure.sas import WRITE
    from defender_assets.core.export import DirectoryExport
    from defender_assets.core.export.azure import AzureExport
    from defender_assets.simulator import simulate as simulated
    from defender_assets.simulator import write_account, write_directory

    if out is not None:
        _refuse_foreign_tenants(scenario, DirectoryExport(out))
        return write_directory(observed.watch(simulated(scenario)), out), str(out)
    account = _account()
    _refuse_foreign_tenants(scenario, AzureExport(account))
    try:
        new_bytes = write_account(observed.watch(simulated(scenario)), account.open_service)
    except AzureError as error:
        raise ExportError(describe_error(account, "write append blobs", error, WRITE)) from None
    return new_bytes, f"{account.endpoint} ({account.auth_method})"


def _refuse_foreign_tenants(scenario: "Scenario", export: "Export") -> None:
    """Raise if the export holds tenants that this scenario does not simulate: it could be a real one."""
    from defender_assets.core.schemas import TABLES
    from defender_assets.simulator.tenants import tenant_ids

    tenants = {tenant for table in TABLES for tenant in export.tenants(table.container)}
    if foreign := tenants - tenant_ids(scenario):
        raise ExportError(
            f"{export.describe()} holds the export of tenant {min(foreign)}, which this command did not simulate: "
            "made-up alerts do not belong beside it; use an empty directory or account, or its --seed and --tenants"
        )


def _show(content: Mapping[str, Any], new_bytes: int, where: str, truth: Path | None) -> None:
    totals = list(content["totals"])
    names = sorted({total["table"] for total in totals})
    rows = [
        {"table": name, **{key: sum(each[key] for each in totals if each["table"] == name) for key in _COUNTED}}
        for name in names
    ]
    cells = {"table": lambda row: row["table"], **{key: _count_of(key) for key in _COUNTED}}
    console().print(table(rows, cells, f"Simulated export in {where}"))
    days = sorted({total["day"] for total in totals})
    span = f"{pluralize(len(content['alerts']), 'tenant')}, {days[0]} to {days[-1]}, " if days else ""
    alerts = pluralize(sum(content["alerts"].values()), "alert")
    say(f"{span}{alerts}, {pluralize(len(content['campaigns']), 'campaign')}; {new_bytes:,} new bytes.")
    if truth is not None:
        with suppress(ValueError):
            truth = truth.relative_to(Path.cwd())
        say(f"Ground truth: {truth}")


_COUNTED = ("blobs", "bytes", "lines", "records", "duplicates", "blank", "bad")


def _count_of(key: str) -> Any:
    return lambda row: f"{row[key]:,}"
