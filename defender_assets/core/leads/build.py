"""Builds a day's leads from alerts, devices, entities and risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Self

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY, PORTAL, portal_url, stable_id
from defender_assets.core.lake.snapshots import Change, days_between
from defender_assets.core.leads.alerts import alert_provenance, alert_values
from defender_assets.core.leads.changes import alert_changes
from defender_assets.core.leads.devices.as_of import devices_as_of
from defender_assets.core.leads.devices.mentions import named_devices, needs_fields
from defender_assets.core.leads.devices.merges import Device, merges, merging_rows, predecessors
from defender_assets.core.leads.devices.primary import distinct_devices, linking_devices, primary_devices
from defender_assets.core.leads.devices.state_changes import device_changes
from defender_assets.core.leads.devices.texts import filled
from defender_assets.core.leads.entities.additional_fields import with_fields
from defender_assets.core.leads.entities.correlation_keys import (
    egress_addresses,
    known_hashes,
    link_entities,
    named_users,
    system_images,
)
from defender_assets.core.leads.entities.identities import known_accounts, known_persons
from defender_assets.core.leads.entities.lists import entity_lists
from defender_assets.core.leads.entities.normalize import entity_rows, with_person
from defender_assets.core.leads.entities.verdicts import verdicts
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import with_muted
from defender_assets.core.leads.risk.prevalence import prevalence
from defender_assets.core.leads.risk.score import with_score
from defender_assets.core.leads.schema import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS, LEAD_SCHEMA
from defender_assets.core.leads.selection import (
    alert_history,
    alerts_without_device,
    candidate_alerts,
    late_device_matches,
    records_of,
)
from defender_assets.core.leads.touched import touched_alerts, touched_by_heartbeats
from defender_assets.core.leads.versions import lead_versions
from defender_assets.core.tables.deduplication import RECORD_ORDER, distinct_records
from defender_assets.core.tables.moments import moment, with_moments

ALERTS_AT_ONCE = 50_000
"""Alerts that are built together: bounds memory by this number instead of the size of the day."""

LEAST_KEPT = 0.5
"""The share of a day's leads below which it costs about as much to build all of them."""


@dataclass(frozen=True)
class _Tables:
    """The typed rows of the look-back, DeviceInfo with moments, and what is read from all of them once."""

    day: date
    alert_info: pl.LazyFrame
    alert_evidence: pl.LazyFrame
    device_info: pl.LazyFrame

    @classmethod
    def of(cls, day: date, alert_info: pl.LazyFrame, alert_evidence: pl.LazyFrame, device_info: pl.LazyFrame) -> Self:
        alert_span = (day - timedelta(days=ALERT_LOOKBACK_DAYS), day)
        device_span = (day - timedelta(days=DEVICE_LOOKBACK_DAYS), day)
        return cls(
            day,
            days_between(alert_info, *alert_span),
            days_between(alert_evidence, *alert_span),
            with_moments(days_between(device_info, *device_span), *device_span),
        )

    @cached_property
    def accounts(self) -> pl.DataFrame:
        return known_accounts(self.alert_evidence)

    @cached_property
    def egress(self) -> pl.DataFrame:
        return egress_addresses(self.device_info)

    @cached_property
    def images(self) -> pl.DataFrame:
        return system_images(self.alert_evidence)

    @cached_property
    def hashes(self) -> pl.DataFrame:
        return known_hashes(self.alert_evidence)

    @cached_property
    def successors(self) -> Mapping[Device, str]:
        return merges(self._merging.lazy())

    @cached_property
    def predecessors(self) -> pl.DataFrame:
        return predecessors(self.successors)

    @cached_property
    def earlier_successors(self) -> Mapping[Device, str]:
        """The merges that were known before the day."""
        return merges(self._merging.lazy().filter(pl.col("export_date") < self.day))

    @cached_property
    def _merging(self) -> pl.DataFrame:
        return merging_rows(self.device_info).collect()


def build_leads(
    day: date,
    alert_info: pl.LazyFrame,
    alert_evidence: pl.LazyFrame,
    device_info: pl.LazyFrame,
    *,
    scoring: ScoringConfig | None = None,
    portal: str = PORTAL,
) -> pl.DataFrame:
    """Return the leads of a day: one row per alert that was new or changed, with its device as it was at the time.

    An alert gets a row if a record of it arrived that no earlier day of the look-back has, or if its device was unknown
    the day before and is known now.

    The tables are typed: the partitions D-30 … D of alerts and D-7 … D of devices are read, others are ignored.
    `scoring` is by default the packaged weights and no mutes, `portal` the address of Microsoft's portal, for
    `portal_url`.

    Returns:
        LEAD_SCHEMA, sorted by tenant and lead_id. The order of the input's rows, and which copies of re-delivered
        records it has, affect only `sources`, `first_seen_at` and `last_updated_at`.
    """
    touched = candidate_alerts(day, alert_info, alert_evidence)
    if touched.is_empty():
        return LEAD_SCHEMA.to_frame()
    tables = _Tables.of(day, alert_info, alert_evidence, device_info)
    alert_tables = tables.alert_info, tables.alert_evidence
    parts = (_alerts_of(day, part, tables) for part in touched.iter_slices(ALERTS_AT_ONCE))
    leads = [
        _to_leads(day, alerts.join(prevalence(day, alerts, *alert_tables), on=ALERT_KEY), scoring, portal)
        for alerts in parts
    ]
    return pl.concat(leads).sort("tenant_id", "lead_id")


def update_leads(
    day: date,
    leads: pl.DataFrame,
    changes: Sequence[Change],
    alert_info: pl.LazyFrame,
    alert_evidence: pl.LazyFrame,
    device_info: pl.LazyFrame,
    *,
    scoring: ScoringConfig | None = None,
    portal: str = PORTAL,
) -> pl.DataFrame | None:
    """Return what `build_leads` would: the leads that new records touch change, the others stay as they are.

    Return None if that may be all leads, or are most of them.

    `leads` are the day's rows as `build_leads` made them, with the same scoring and portal, before the `changes` of the
    three tables; copies of older records are allowed among these. The tables have the new records.
    """
    *new_records, new_heartbeats = (change.added for change in changes)
    if any(change.removed is not None for change in changes):
        return None
    tables = _Tables.of(day, alert_info, alert_evidence, device_info)
    alert_tables = tables.alert_info, tables.alert_evidence
    leads = leads.select(LEAD_SCHEMA.names()).cast(LEAD_SCHEMA)
    new_info, new_evidence = (
        whole.clear() if new is None else new for whole, new in zip(alert_tables, new_records, strict=True)
    )
    touched = touched_alerts(day, leads, tables.accounts, tables.hashes, new_info, new_evidence)
    if touched is None:
        return None
    to_build, rescored = touched
    if new_heartbeats is not None:
        by_heartbeats = touched_by_heartbeats(
            day, leads, *alert_tables, tables.device_info, tables.successors, new_heartbeats
        )
        to_build = pl.concat([to_build, by_heartbeats]).unique()
    key = ["tenant_id", "alert_id"]
    rebuilt, rescored = (each.rename({"AlertId": "alert_id"}) for each in (to_build, rescored))
    others = leads.join(rebuilt, on=key, how="anti")
    kept, again = others.join(rescored, on=key, how="anti"), others.join(rescored, on=key, how="semi")
    if kept.height < leads.height * LEAST_KEPT:
        return None
    of_day = candidate_alerts(day, *(records_of(table, to_build) for table in (alert_info, alert_evidence)))
    alerts = _alerts_of(day, of_day, tables)
    again = again.with_columns(AlertId="alert_id", device_count=_device_count())
    counts = prevalence(
        day, pl.concat([each.select(*ALERT_KEY, "title", "entities") for each in (alerts, again)]), *alert_tables
    )
    parts = [
        kept,
        _to_leads(day, alerts.join(counts, on=ALERT_KEY), scoring, portal),
        _scored(again.join(counts, on=ALERT_KEY), scoring),
    ]
    return pl.concat(parts).sort("tenant_id", "lead_id")


def _alerts_of(day: date, touched: pl.DataFrame, tables: _Tables) -> pl.DataFrame:
    """Return the alerts of a part of the day that get a lead, with their values, but without their prevalence."""
    device_info = tables.device_info
    info, evidence = _records_of(tables.alert_info, touched), _records_of(tables.alert_evidence, touched)
    history = alert_history(day, info, evidence).join(touched, on=ALERT_KEY)
    fresh, eve = history.filter(pl.col("is_new")), history.filter(~pl.col("is_new") & pl.col("on_eve"))

    parsed = with_fields(_of(evidence, fresh))
    named, times = named_devices(parsed), history.select(*ALERT_KEY, "alert_time")
    probes, late = named.join(times, on=ALERT_KEY), eve.clear()
    if eve.is_empty():
        as_of = devices_as_of(device_info, tables.successors, probes, day)
    else:
        # Only the devices of these alerts are needed: AdditionalFields is parsed only if Machine rows lack DeviceIds.
        eve_probes = named_devices(with_fields(_of(evidence, eve), where=needs_fields())).join(times, on=ALERT_KEY)
        earlier = tables.earlier_successors
        without = alerts_without_device(day, eve_probes, device_info, earlier, DEVICE_LOOKBACK_DAYS)
        eve_probes = _of(eve_probes, without)
        as_of = devices_as_of(device_info, tables.successors, pl.concat([probes, eve_probes]), day)
        late = _of(eve, late_device_matches(day, eve_probes, as_of, device_info, earlier))
    if not late.is_empty():
        late_parsed = with_fields(_of(evidence, late))
        parsed, named = pl.concat([parsed, late_parsed]), pl.concat([named, named_devices(late_parsed)])

    alerts = pl.concat([fresh, late])
    info, evidence = _of(info, alerts), parsed
    devices = distinct_devices(named, as_of)
    rows = entity_rows(evidence)
    persons = known_persons(tables.accounts, named_users(rows))
    rows = with_person(rows, persons)
    parts = (
        alert_values(info, evidence),
        alert_provenance(info, evidence),
        alert_changes(day, info, evidence, late),
        primary_devices(devices, alerts),
        device_changes(day, devices, device_info),
        entity_lists(rows),
        link_entities(
            rows, persons, linking_devices(devices, tables.predecessors), tables.egress, tables.images, tables.hashes
        ),
        verdicts(rows),
    )
    for part in parts:
        alerts = alerts.join(part, on=ALERT_KEY, how="left")
    return alerts.join(lead_versions(alerts, evidence), on=ALERT_KEY, how="left")


def _to_leads(day: date, alerts: pl.DataFrame, scoring: ScoringConfig | None, portal: str) -> pl.DataFrame:
    """Return the leads of alerts with their prevalence."""
    scoring = scoring or ScoringConfig()
    keys = alerts.select(ALERT_KEY).rows()
    urls = [portal_url(tenant_id, alert_id, portal) for tenant_id, alert_id in keys]
    leads = alerts.with_columns(
        pl.Series("lead_id", [stable_id(tenant_id, alert_id) for tenant_id, alert_id in keys], dtype=pl.String),
        pl.Series("portal_url", urls, dtype=pl.String),
        export_date=pl.lit(day, dtype=pl.Date),
        alert_id="AlertId",
        scoring_version=pl.lit(scoring.version),
        change=pl.when("known_before").then(pl.lit("updated")).otherwise(pl.lit("new")),
        machine_group=pl.coalesce("machine_group", filled(pl.col("alert_machine_group"))),
    )
    leads = leads.with_columns(
        pl.col(name).fill_null(pl.lit([], dtype=dtype))
        for name, dtype in LEAD_SCHEMA.items()
        if isinstance(dtype, pl.List) and name in leads.columns and name not in _NULLABLE_LISTS
    )
    return _scored(leads, scoring)


def _scored(leads: pl.DataFrame, scoring: ScoringConfig | None) -> pl.DataFrame:
    """Return leads with their score, from their columns, `device_count` and the result of `prevalence`."""
    scoring = scoring or ScoringConfig()
    scored = with_muted(with_score(leads, scoring.weights), scoring.mutes)
    return scored.select(LEAD_SCHEMA.names()).cast(LEAD_SCHEMA)


def _device_count() -> pl.Expr:
    """Return the number of devices of a lead, as `primary_devices` counts them; it is not stored."""
    one = (pl.col("device_match") != "no_device").cast(pl.Int64)
    return pl.coalesce(pl.col("devices").list.len().cast(pl.Int64), one)


# The device's lists are null if the device is unknown; all other lists are empty instead of null.
_NULLABLE_LISTS = ("devices", "device_tags", "device_changes", "logged_on_users")


def _records_of(table: pl.LazyFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    rows = records_of(table, alerts).with_columns(Timestamp=moment()).with_row_index("_row").collect()
    kept = distinct_records(rows.lazy().select("_row", *RECORD_ORDER)).collect().get_column("_row")
    return _at(rows, kept.sort()).drop("_row")


def _of(rows: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    keys = rows.select(ALERT_KEY).with_row_index("_row")
    return _at(rows, keys.join(alerts, on=ALERT_KEY, how="semi", maintain_order="left").get_column("_row"))


def _at(rows: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """Return the rows at distinct places, in order; without copying them if that is all of them."""
    return rows if len(places) == rows.height else rows[places]
