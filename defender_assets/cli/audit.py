"""`defender-assets audit`: compare export and lake, write a certificate, or verify one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.cli.options import DAY, output_format
from defender_assets.cli.output import as_json, say
from defender_assets.core.text import first_few, format_bytes, pluralize
from defender_assets.core.whole_files import open_whole

if TYPE_CHECKING:
    from defender_assets.core.audit.certificate import Verification
    from defender_assets.core.audit.findings import Difference
    from defender_assets.core.audit.walk import Audit
    from defender_assets.core.export import Export
    from defender_assets.core.lake.lake import Lake
    from defender_assets.settings import Settings

DIFFERENCE = 3
"""Exit code: something differs."""

NOT_COMPARED = 1
"""Exit code: nothing differs, but a part could not be compared."""

SHOWN = 50
DAYS_SHOWN = 3


@click.command()
@click.option("--from", "first", type=DAY, metavar="YYYY-MM-DD", help="First day of arrival. Default: the first one.")
@click.option("--to", "last", type=DAY, metavar="YYYY-MM-DD", help="Last day of arrival. Default: the last one.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a certificate to this file, if nothing differs and every part was compared.",
)
@click.option(
    "--verify",
    "certificate_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Verify a certificate instead.",
)
@click.option(
    "--against",
    type=click.Choice(("lake", "export")),
    help="What --verify reads. Default: the lake if there is one, else the export.",
)
@output_format(("text", "json"))
@click.pass_context
def audit(
    ctx: click.Context,
    *,
    first: date | None,
    last: date | None,
    out: Path | None,
    certificate_file: Path | None,
    against: str | None,
    output_format: str,
) -> None:
    """Compare the export with the lake, from their contents alone, and name what differs with the job that fixes it.

    For each day that lake or export has: the bytes of raw with those of the export, the records and bad lines in raw
    with the typed tables and quarantine, and the sources of the leads with both. No cursor, version or statistic is
    trusted. Bytes that raw has not read yet are pending, no difference. Nothing is changed.

    Exit code 0: nothing differs. 3: something differs, or a certificate does not hold. 1: a part could not be compared.
    2: a wrong setting, argument or account. Days on which a run writes at the moment may differ until it has ended.
    """
    if certificate_file and (first or last or out):
        raise CliError("--verify takes its days from the certificate: leave out --from, --to and --out")
    if first and last and first > last:
        raise CliError(f"--from {first} is after --to {last}: expected an earlier day")
    if against and not certificate_file:
        raise CliError("--against is an option of --verify: give the certificate")
    settings = announced_settings()
    if certificate_file:
        ctx.exit(_verify(settings, certificate_file, against, output_format))
    ctx.exit(_audit(settings, first, last, out, output_format))


def _audit(settings: "Settings", first: date | None, last: date | None, out: Path | None, output_format: str) -> int:
    from defender_assets.core.audit.walk import audit_days, days_held

    lake, export, now = settings.lake(), settings.export(), datetime.now(UTC)
    days = [day for day in days_held(lake, export) if (first is None or day >= first) and (last is None or day <= last)]
    if out is not None and not days:
        raise CliError(f"neither lake nor export has a day in this span: {out} was not written")
    left_out = list(_left_out(settings, days))
    audits = []
    for done in audit_days(lake, export, days):
        audits.append(done)
        if output_format == "text":
            _show_day(done)
    found = [each for done in audits for each in done.differences]
    problems = [each for done in audits for each in done.problems]
    code = DIFFERENCE if found else NOT_COMPARED if problems else 0
    if output_format == "json":
        click.echo(as_json(_as_dict(audits, left_out, code)))
    else:
        _show_differences(found, problems)
        for each in left_out:
            say(f"Left out: {each['container']}/{each['path']} ({each['reason']})")
        if not days:
            say("Neither lake nor export has a day in this span.")
        if days and not code:
            _show_sound(audits, settings.start_date, now.date())
    if out is not None:
        _write_certificate(out, audits, left_out, now, code)
    return code


def _write_certificate(
    out: Path, audits: "Sequence[Audit]", left_out: list[dict[str, Any]], now: datetime, code: int
) -> None:
    from defender_assets.core.audit.certificate import certificate

    if code:
        say(f"{out} was not written, because something differs or was not compared.", stderr=True)
        return
    made = certificate(audits, left_out, now)
    with open_whole(out) as file:
        file.write(f"{as_json(made)}\n")
    say(f"Wrote {out}: {pluralize(len(made['entries']), 'blob-hour')}, root {made['root']}.", stderr=True)


def _left_out(settings: "Settings", days: list[date]) -> Iterator[dict[str, Any]]:
    """Yield the blobs of the days that DEFENDER_LEAVE_OUT leaves out, with the reasons."""
    from defender_assets.core.export import Blob
    from defender_assets.core.export.leave_out import rule_for
    from defender_assets.core.schemas import TABLES

    if not settings.left_out:
        return
    export, today = settings.whole_export(), datetime.now(UTC).date()
    for table in TABLES:
        for entry in export.all_entries(table.container):
            rule = rule_for(settings.left_out, table.container, entry, today)
            if rule and isinstance(entry, Blob) and entry.day in days:
                yield {
                    "container": table.container,
                    "path": entry.path,
                    "reason": rule.reason,
                    "until": rule.until and rule.until.isoformat(),
                }


def _as_dict(audits: "Sequence[Audit]", left_out: list[dict[str, Any]], code: int) -> dict[str, Any]:
    return {
        "sound": code == 0 and not any(done.pending for done in audits),
        "pending_bytes": sum(done.pending for done in audits),
        "days": [
            {
                "day": done.day,
                "tables": [
                    {
                        "table": table.table,
                        "blobs": len(table.entries),
                        "bytes": sum(entry.size for entry in table.entries),
                        "lines": sum(entry.lines for entry in table.entries),
                        "records": sum(entry.records for entry in table.entries),
                        "duplicates": sum(entry.duplicates for entry in table.entries),
                        "quarantined": sum(entry.quarantined for entry in table.entries),
                        "typed_rows": table.rows,
                        "record_set": table.record_set,
                        "typed_set": table.typed_set,
                        "pending_bytes": table.pending,
                        "only_in_lake": [entry.blob for entry in table.entries if entry.pending is None],
                    }
                    for table in done.tables
                ],
            }
            for done in audits
        ],
        "differences": [each.as_dict() for done in audits for each in done.differences],
        "not_compared": [each for done in audits for each in done.problems],
        "left_out": left_out,
    }


def _totals(audits: "Sequence[Audit]") -> str:
    entries = [entry for done in audits for entry in done.entries]
    pending = sum(done.pending for done in audits)
    vanished = sum(entry.pending is None for entry in entries)
    parts = [
        pluralize(len(entries), "blob-hour"),
        format_bytes(sum(entry.size for entry in entries)),
        pluralize(sum(entry.lines for entry in entries), "line"),
        pluralize(sum(entry.records - entry.duplicates for entry in entries), "record"),
        pluralize(sum(entry.duplicates for entry in entries), "duplicate"),
        pluralize(sum(entry.quarantined for entry in entries), "quarantined line"),
        *([f"{format_bytes(pending)} pending"] if pending else []),
        *([f"{pluralize(vanished, 'blob-hour')} no longer in the export"] if vanished else []),
    ]
    return ", ".join(parts)


def _show_day(done: "Audit") -> None:
    count = sum(each.count for each in done.differences)
    whole = "no difference so far" if done.pending else "sound"
    state = pluralize(count, "difference") if count else "not compared completely" if done.problems else whole
    say(f"{done.day}  {_totals([done])}: {state}")


def _show_sound(audits: "Sequence[Audit]", first: date, last: date) -> None:
    """Say which days are sound, and of which raw has not read everything yet. Runs read `first` to `last`."""
    whole, pending = [[done for done in audits if bool(done.pending) is waits] for waits in (False, True)]
    if whole:
        say(f"Sound: {pluralize(len(whole), 'day')}, {_totals(whole)}.", "green")
    if pending:
        days = ", ".join(first_few([str(done.day) for done in pending], DAYS_SHOWN))
        say(
            f"No difference so far in {pluralize(len(pending), 'day')} of which raw has not read everything ({days}): "
            f"{_totals(pending)}. The next run reads what has its newline."
        )
    if never := [str(done.day) for done in pending if not first <= done.day <= last]:
        days = ", ".join(first_few(never, DAYS_SHOWN))
        say(f"No run reads {days}: only days from DEFENDER_START_DATE={first} to today are read.")


def _show_differences(found: "Sequence[Difference]", problems: Sequence[str]) -> None:
    for each in found[:SHOWN]:
        where = f" {each.blob}" if each.blob else ""
        at = "" if each.byte_offset is None else f" at byte {each.byte_offset}"
        times = f" ({each.count} times)" if each.count > 1 else ""
        detail = f" ({each.detail})" if each.detail else ""
        say(f"{each.day} {each.table}{where}{at}: {each.kind.meaning}{times}{detail}", "red")
        say(f"  To fix it, {each.remedy}.")
    if len(found) > SHOWN:
        say(f"{len(found) - SHOWN} more: --format json shows all.")
    for problem in problems:
        say(f"Not compared: {problem}", "yellow")


def _verify(settings: "Settings", file: Path, against: str | None, output_format: str) -> int:
    from defender_assets.core.audit.certificate import CertificateError, read_certificate, verify
    from defender_assets.core.schemas import TABLES

    try:
        certified = read_certificate(file.read_text(encoding="utf-8", errors="replace"))
    except CertificateError as error:
        raise CliError(f"{file}: {error}") from None
    lake: Lake = settings.lake()
    has_lake = against == "lake" or (against is None and any(lake.exists(table.raw) for table in TABLES))
    export: Export = settings.export()
    result = verify(certified, lake=lake) if has_lake else verify(certified, export=export)
    code = DIFFERENCE if result.failures or result.differences else NOT_COMPARED if result.problems else 0
    where = lake.describe() if has_lake else export.describe()
    if output_format == "json":
        click.echo(as_json(_result_as_dict(certified, result, where, code)))
    else:
        _show_result(certified, result, where, code)
    return code


def _result_as_dict(certified: dict[str, Any], result: "Verification", where: str, code: int) -> dict[str, Any]:
    return {
        "holds": code == 0,
        "against": where,
        "root": certified["root"],
        "compared": result.compared,
        "failures": [vars(each) for each in result.failures],
        "skipped": [vars(each) for each in result.skipped],
        "differences": [each.as_dict() for each in result.differences],
        "not_compared": result.problems,
        "proves": certified["proves"],
        "proves_not": certified["proves_not"],
    }


def _show_result(certified: dict[str, Any], result: "Verification", where: str, code: int) -> None:
    for each in result.failures[:SHOWN]:
        say(f"{' '.join(filter(None, [each.table, each.blob])) or 'The certificate'}: {each.reason}", "red")
    if len(result.failures) > SHOWN:
        say(f"{len(result.failures) - SHOWN} more: --format json shows all.")
    _show_differences(result.differences, result.problems)
    if result.skipped:
        say(f"{pluralize(len(result.skipped), 'blob-hour')} skipped: {result.skipped[0].reason}.")
    compared = f"{pluralize(result.compared, 'blob-hour')} compared with {where}"
    if code:
        say(
            f"The certificate does not hold: {compared}."
            if code == DIFFERENCE
            else f"Not all was compared: {compared}."
        )
        return
    say(f"The certificate of {certified['written_at']} holds: {compared}.", "green")
    say(f"It proves: {certified['proves']}")
    say(f"It does not prove: {certified['proves_not']}")
