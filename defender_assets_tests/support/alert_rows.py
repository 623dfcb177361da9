"""Builders of typed rows and lead rows for the tests of leads and stories. Nothing here is asserted."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY, portal_url, stable_id
from defender_assets.core.leads import LEAD_SCHEMA, build_leads
from defender_assets.core.leads.entities.additional_fields import with_fields
from defender_assets.core.leads.entities.correlation_keys import known_hashes, link_entities, named_users, system_images
from defender_assets.core.leads.entities.identities import known_accounts, known_persons
from defender_assets.core.leads.entities.normalize import entity_rows, with_person
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_TENANT = "bbbbbbbb-0000-4000-8000-000000000002"
DAY = date(2026, 3, 10)
EVE = DAY - timedelta(days=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ALERT = "da639000000000000001_-1"
PC, SERVER = "a" * 40, "b" * 40

Row = dict[str, Any]


def at(hours: float = 0, days: int = 0, minutes: int = 0) -> datetime:
    """Return a moment relative to noon of DAY."""
    return NOON + timedelta(days=days, hours=hours, minutes=minutes)


def _row(table: Table, microsoft: Mapping[str, Any], ours: Mapping[str, Any]) -> Row:
    unknown = set(microsoft) - {column.name for column in table.columns}
    assert not unknown, f"{table.name} has no column {unknown}"
    tenant = ours.get("tenant_id", TENANT)
    text = json.dumps([table.name, tenant, microsoft], default=str, sort_keys=True)
    day = ours.get("export_date", DAY)
    provenance = {
        "tenant_id": tenant,
        "export_date": day,
        "exported_at": datetime(day.year, day.month, day.day, 13, tzinfo=UTC),
        "received_at": None,
        "blob": f"tenantId={tenant}/y={day:%Y}/m={day:%m}/d={day:%d}/h=13/m=00/PT1H.json",
        "byte_offset": int(hashlib.sha256(text.encode()).hexdigest()[:6], 16),
        "record_id": hashlib.sha256(text.encode()).hexdigest()[:32],
        "unmapped": None,
    }
    return dict.fromkeys(table.schema, None) | dict(microsoft) | provenance | dict(ours)


def info(alert: str = ALERT, *, day: date = DAY, tenant: str = TENANT, **microsoft: Any) -> Row:
    """Return an AlertInfo row; provenance columns may be given by `ours`."""
    ours = microsoft.pop("ours", {})
    values = {
        "Timestamp": NOON,
        "Title": "Suspicious activity",
        "Category": "Execution",
        "Severity": "Medium",
        "ServiceSource": "Microsoft Defender for Endpoint",
        "DetectionSource": "EDR",
    }
    return _row(ALERT_INFO, values | {"AlertId": alert} | microsoft, {"tenant_id": tenant, "export_date": day} | ours)


def evidence(kind: str | None = "Machine", alert: str = ALERT, *, day: date = DAY, **microsoft: Any) -> Row:
    """Return an AlertEvidence row; `fields` becomes AdditionalFields, `tenant` and `ours` the provenance."""
    ours = {"tenant_id": microsoft.pop("tenant", TENANT), "export_date": day} | microsoft.pop("ours", {})
    if (fields := microsoft.pop("fields", None)) is not None:
        microsoft["AdditionalFields"] = fields if isinstance(fields, str) else json.dumps(fields)
    values = {"Timestamp": NOON, "AlertId": alert, "EntityType": kind}
    return _row(ALERT_EVIDENCE, values | microsoft, ours)


def machine(device: str | None = PC, alert: str = ALERT, **microsoft: Any) -> Row:
    """Return an AlertEvidence row of a Machine."""
    return evidence("Machine", alert, **({"DeviceId": device, "EvidenceRole": "Impacted"} | microsoft))


def beat(device: str = PC, when: datetime = NOON, *, day: date = DAY, tenant: str = TENANT, **microsoft: Any) -> Row:
    """Return a DeviceInfo row."""
    ours = {"tenant_id": tenant, "export_date": day} | microsoft.pop("ours", {})
    return _row(DEVICE_INFO, {"Timestamp": when, "DeviceId": device, "ReportId": 1} | microsoft, ours)


def described(row: Row) -> str:
    """Return what a row of evidence says, as the name of a case."""
    provenance = {"tenant_id", "export_date", "exported_at", "blob", "byte_offset", "record_id", "Timestamp", "AlertId"}
    return " ".join(str(value) for name, value in row.items() if value is not None and name not in provenance)


def frame(table: Table, rows: Iterable[Row]) -> pl.LazyFrame:
    """Return typed rows as the lake would hand them over."""
    return pl.DataFrame(list(rows), schema=table.schema, orient="row").lazy()


def leads_of(
    infos: Iterable[Row] = (),
    evidences: Iterable[Row] = (),
    beats: Iterable[Row] = (),
    day: date = DAY,
    scoring: ScoringConfig | None = None,
) -> pl.DataFrame:
    """Return the leads that the rows make on a day."""
    frames = (frame(ALERT_INFO, infos), frame(ALERT_EVIDENCE, evidences), frame(DEVICE_INFO, beats))
    return build_leads(day, *frames, scoring=scoring)


def lead_of(
    infos: Iterable[Row] = (),
    evidences: Iterable[Row] = (),
    beats: Iterable[Row] = (),
    day: date = DAY,
    scoring: ScoringConfig | None = None,
) -> Row:
    """Return the only lead that the rows make on a day."""
    return only(leads_of(infos, evidences, beats, day, scoring))


def only(leads: pl.DataFrame) -> Row:
    """Return the only row."""
    assert leads.height == 1
    return leads.row(0, named=True)


class Records(NamedTuple):
    """The rows of one case."""

    infos: Iterable[Row] = ()
    evidences: Iterable[Row] = ()
    beats: Iterable[Row] = ()


AnyRecords = tuple[Iterable[Row], Iterable[Row], Iterable[Row]]


def apart(cases: Iterable[Iterable[Row]]) -> list[Row]:
    """Return the rows of all cases, each case in tenants of its own, because tenants share nothing."""
    return [row | {"tenant_id": f"{number}:{row['tenant_id']}"} for number, rows in enumerate(cases) for row in rows]


def of_each(frame: pl.DataFrame, count: int) -> list[pl.DataFrame]:
    """Return the part of each case in what was made of rows that are `apart`, with the case's own `tenant_id`."""
    number, tenant = (pl.col("tenant_id").str.splitn(":", 2).struct[field] for field in (0, 1))
    parts = frame.with_columns(tenant_id=tenant, number=number.cast(pl.Int64))
    return [parts.filter(number=case).drop("number") for case in range(count)]


def leads_of_each(cases: Iterable[AnyRecords], day: date = DAY) -> list[pl.DataFrame]:
    """Return the leads of each case as `leads_of` does, from one build, which takes little longer than one of them.

    `lead_id` and `portal_url` are put back. `lead_version` is that of the tenant that the case had in the build.
    """
    cases = list(cases)
    infos, evidences, beats = (apart(case[table] for case in cases) for table in range(3))
    leads = leads_of(infos, evidences, beats, day)
    keys = [(tenant.partition(":")[2], alert) for tenant, alert in leads.select("tenant_id", "alert_id").rows()]
    leads = leads.with_columns(
        pl.Series("lead_id", [stable_id(*key) for key in keys], dtype=pl.String),
        pl.Series("portal_url", [portal_url(*key) for key in keys], dtype=pl.String),
    )
    return of_each(leads.sort("tenant_id", "lead_id"), len(cases))


def entity_rows_of(*evidences: Row) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what the entity rooms read of evidence rows, and the persons known through them."""
    typed = frame(ALERT_EVIDENCE, evidences)
    rows = entity_rows(with_fields(typed.collect()))
    persons = known_persons(known_accounts(typed), named_users(rows))
    return with_person(rows, persons), persons


def entities_of(lead: Row) -> set[tuple[str, str]]:
    """Return the kinds and values of a lead's entities."""
    return {(entity["kind"], entity["value"]) for entity in lead["entities"]}


def links_of_each(cases: Iterable[Iterable[Row]], alert: str = ALERT) -> list[set[tuple[str, str]]]:
    """Return for each case of evidence the kinds and values of the entities that link an alert, without its device."""
    cases = list(cases)
    rows = apart(cases)
    read, persons = entity_rows_of(*rows)
    images, hashes = (known(frame(ALERT_EVIDENCE, rows)) for known in (system_images, known_hashes))
    devices = read.clear().select(*ALERT_KEY, value=pl.lit(None, pl.String), identity=pl.lit(None, pl.String))
    egress = pl.DataFrame(schema={"tenant_id": pl.String, "address": pl.String})
    found = of_each(link_entities(read, persons, devices, egress, images, hashes).filter(AlertId=alert), len(cases))
    return [entities_of(only(links)) if links.height else set() for links in found]


def lead_row(lead_id: str, *entities: tuple[str, ...], when: datetime = NOON, day: date = DAY, **columns: Any) -> Row:
    """Return a row of `device_enriched_leads`; an entity may be a triple that ends in its identity."""
    structs = [dict(zip(("kind", "value", "identity"), (*entity, entity[1])[:3], strict=True)) for entity in entities]
    lists: Row = {name: [] for name, dtype in LEAD_SCHEMA.items() if isinstance(dtype, pl.List)}
    values = {
        "tenant_id": TENANT,
        "export_date": day,
        "lead_id": lead_id,
        "alert_id": f"da{lead_id}",
        "title": f"Title of {lead_id}",
        "product": "endpoint",
        "severity": "Medium",
        "category": "Execution",
        "alert_time": when,
        "risk_score": 30,
        "entities": structs,
    }
    return dict.fromkeys(LEAD_SCHEMA, None) | lists | values | columns


def lead_frame(rows: Iterable[Row]) -> pl.LazyFrame:
    """Return lead rows as the lake would hand them over."""
    return pl.DataFrame(list(rows), schema=LEAD_SCHEMA, orient="row").lazy()
