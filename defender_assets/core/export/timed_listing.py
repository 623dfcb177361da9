"""Listing days within a time limit: several tenants at once, so that slow or silent ones do not hold up the others."""

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date

from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import Blob, Export, UnreadablePart
from defender_assets.core.export.listing import DayListing, list_tenant
from defender_assets.core.schemas import TABLES, Table
from defender_assets.core.text import pluralize

TENANTS_AT_ONCE = 8
SHARE_OF_CONTAINERS = 0.25
"""Part of the time in which a container must answer, if another one does."""


@dataclass
class TimedListing:
    """What was listed of the days in time.

    `incomplete` are days of which a tenant or a container is missing; `notes` say what is missing.
    """

    days: dict[date, list[tuple[Table, Blob | UnreadablePart]]] = field(default_factory=dict)
    incomplete: set[date] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


_Found = dict[tuple[date, str, str], DayListing]
"""(day, container, tenant's folder) -> its listing."""


def list_in_time(export: Export, days: Sequence[date], seconds: float, seed: int) -> TimedListing:
    """Return the listing of the days as far as it is there after `seconds`.

    A tenant occupies one thread, which lists its days one after the other. The tenants come in an order that `seed`
    decides: with another seed each time, the time limit never leaves out the same ones. A call that has not answered is
    abandoned; its thread ends when the call does.

    Raises:
        ExportError: when no container answered, or none of the days could be listed.
    """
    deadline = time.monotonic() + seconds
    pool = ThreadPoolExecutor(TENANTS_AT_ONCE, thread_name_prefix="list")
    try:
        asked = {table: pool.submit(export.tenants, table.container) for table in TABLES}
        folders, failed = _answers(asked, seconds)
        of_tenant: dict[str, list[tuple[Table, str]]] = defaultdict(list)
        for table, names in folders.items():
            for name in names:
                of_tenant[name.lower()].append((table, name))
        tenants = sorted(of_tenant)
        random.Random(seed).shuffle(tenants)  # noqa: S311 (an order, no secret)
        found: _Found = {}
        jobs = [pool.submit(_list_one, export, of_tenant[tenant], days, deadline, found) for tenant in tenants]
        wait(jobs, max(0.0, deadline - time.monotonic()))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for job in jobs:
        if job.done() and not job.cancelled():
            job.result()
    # abandoned threads may still add to it
    return _joined(days, folders, failed, found.copy())


def _answers(
    asked: Mapping[Table, Future[list[str]]], seconds: float
) -> tuple[dict[Table, list[str]], dict[Table, str | None]]:
    """Return the tenants of the containers that answered, and the errors of the others; None for no answer in time."""
    wait(asked.values(), seconds * SHARE_OF_CONTAINERS)
    if not any(answer.done() for answer in asked.values()):
        wait(asked.values(), seconds * (1 - SHARE_OF_CONTAINERS), return_when=FIRST_COMPLETED)
    folders: dict[Table, list[str]] = {}
    failed: dict[Table, str | None] = {}
    for table, answer in asked.items():
        try:
            if answer.done():
                folders[table] = answer.result()
            else:
                failed[table] = None
        except ExportError as error:
            failed[table] = str(error)
    if not folders:
        reasons = [reason for reason in failed.values() if reason]
        no_answer = f"the export did not answer within {pluralize(round(seconds), 'second')}"
        raise ExportError(reasons[0] if reasons else no_answer)
    return folders, failed


def _list_one(
    export: Export, folders: Sequence[tuple[Table, str]], days: Sequence[date], deadline: float, found: _Found
) -> None:
    for day in days:
        for table, tenant in folders:
            if time.monotonic() > deadline:
                return
            found[day, table.container, tenant] = list_tenant(export, table.container, tenant, day)


def _joined(
    days: Sequence[date],
    folders: Mapping[Table, Sequence[str]],
    failed: Mapping[Table, str | None],
    found: Mapping[tuple[date, str, str], DayListing],
) -> TimedListing:
    listing = TimedListing()
    reasons: list[str] = []
    refused = [(table, UnreadablePart(table.container, "", reason)) for table, reason in failed.items() if reason]
    silent = {table.container for table, reason in failed.items() if reason is None}
    late: set[tuple[str, str]] = set()
    for day in days:
        wanted = [(table, tenant) for table, names in folders.items() for tenant in names]
        there = [(table, tenant) for table, tenant in wanted if (day, table.container, tenant) in found]
        missing = set(wanted) - set(there)
        late |= {(table.container, tenant) for table, tenant in missing}
        if missing or silent:
            listing.incomplete.add(day)
        if missing and not there:
            continue
        listed = [(table, found[day, table.container, tenant]) for table, tenant in there]
        if listed and not any(of_tenant.answered for _, of_tenant in listed):
            reasons.append(listed[0][1].unreadable[0].reason)
            listing.notes.append(f"{day} cannot be listed: {reasons[-1]}")
            continue
        listing.days[day] = [(table, entry) for table, of_tenant in listed for entry in of_tenant.entries]
        listing.days[day] += refused
    if reasons and not listing.days:
        raise ExportError(reasons[0])
    if late or silent:
        what = [f"{', '.join(sorted(silent))} did not answer in time"] if silent else []
        if late:
            tenants = pluralize(len({tenant.lower() for _, tenant in late}), "tenant")
            what.append(f"{tenants} could not be listed in time")
        listing.notes.append("; ".join(what))
    return listing
