"""Which leads of a day new records can change. All others stay as they are, if nothing but these records is new.

A lead is made of its own records, of the devices, and of five things that other alerts show:

- which accounts are one person: an alert with an account that belongs together with a new one is built again;
- which files are programs of the system: an alert that such a file links is built again;
- which hashes are of one file: an alert that such a hash links is built again;
- how many alerts have its detection, and how many name an entity that it names: only its score depends on these;
- whether the tenant has a week of alerts: records that are as old as that may touch every lead.

New heartbeats can change what it has of devices (`devices.touched`), and whether an address links it: the
organisation's own public addresses do not.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.mentions import named_devices, needs_fields
from defender_assets.core.leads.devices.merges import Device, merge_pairs, merge_paths
from defender_assets.core.leads.devices.touched import alerts_of_heartbeats
from defender_assets.core.leads.entities.additional_fields import with_fields
from defender_assets.core.leads.entities.correlation_keys import egress_addresses, system_images
from defender_assets.core.leads.entities.identifier_text import (
    SIMPLE_IDENTIFIER,
    SIMPLE_OBJECT_ID,
    each,
    identifier,
    object_id,
)
from defender_assets.core.leads.entities.identities import (
    IDENTIFIERS,
    known_accounts,
    object_id_of_sid,
    related_identifiers,
)
from defender_assets.core.leads.entities.mail_addresses import SIMPLE_MAIL, mail_address
from defender_assets.core.leads.risk.prevalence import KNOWN_AFTER_DAYS, counted_entities, detections_of, mentions_of
from defender_assets.core.leads.selection import candidate_alerts, records_of

_VALUE = ["tenant_id", "value"]
_LENGTH_OF_SHA1 = 40
_OF_DEVICES = ("DeviceId", "DeviceName", "EntityType", "EvidenceRole")


class Touched(NamedTuple):
    """ALERT_KEY of alerts that new records can change: those to build again, and leads to score again."""

    rebuilt: pl.DataFrame
    rescored: pl.DataFrame


def touched_alerts(
    day: date,
    leads: pl.DataFrame,
    accounts: pl.DataFrame,
    hashes: pl.DataFrame,
    new_info: pl.LazyFrame,
    new_evidence: pl.LazyFrame,
) -> Touched | None:
    """Return the alerts that new records can change; None if they may change all.

    `leads` (LEAD_SCHEMA) are the day's leads without the new records, `accounts` those of `known_accounts` with them,
    `hashes` those of `known_hashes`.
    Copies of older records are allowed among the new ones.
    """
    new = pl.concat([table.select(*ALERT_KEY, "Title", "export_date") for table in (new_info, new_evidence)]).collect()
    if new.filter(pl.col("export_date") <= day - timedelta(days=KNOWN_AFTER_DAYS)).height:
        return None
    leads = leads.with_columns(AlertId="alert_id")
    related = related_identifiers(accounts, _identifiers(known_accounts(new_evidence)))
    return Touched(
        pl.concat(
            [
                new.select(ALERT_KEY),
                _of_persons(leads, related),
                _of_images(leads, new_evidence),
                _of_hashes(leads, hashes, new_evidence),
            ]
        ).unique(),
        pl.concat([_of_detections(leads, new), _of_entities(leads, new_evidence)]).unique(),
    )


def touched_by_heartbeats(
    day: date,
    leads: pl.DataFrame,
    alert_info: pl.LazyFrame,
    alert_evidence: pl.LazyFrame,
    device_info: pl.LazyFrame,
    successors: Mapping[Device, str],
    new_heartbeats: pl.LazyFrame,
) -> pl.DataFrame:
    """Return ALERT_KEY of the alerts that new heartbeats can change, those included that may only get a lead by them.

    `leads` (LEAD_SCHEMA) are the day's leads without the new heartbeats. The tables have the typed rows of the
    look-back, `device_info` with moments and with the new heartbeats; `successors` are its `merges`. Copies of older
    heartbeats are allowed among the new ones.
    """
    of_day = candidate_alerts(day, alert_info, alert_evidence)
    named = _named_devices(alert_evidence, of_day)
    leads = leads.with_columns(AlertId="alert_id")
    by_device = alerts_of_heartbeats(day, leads, named, device_info, successors, new_heartbeats)
    by_merge = _linked_by(leads, "device", _merged_by(device_info, successors, new_heartbeats))
    by_address = _linked_by_address(leads, egress_addresses(new_heartbeats))
    return pl.concat([by_device, by_merge, by_address]).unique()


def _merged_by(devices: pl.LazyFrame, successors: Mapping[Device, str], new: pl.LazyFrame) -> pl.DataFrame:
    """Return `tenant_id` and `value`: the devices that new heartbeats merge, and those into which they ever were."""
    olds = merge_pairs(new).select("tenant_id", "old").unique().collect()
    into = merge_pairs(devices).collect().join(olds, on=["tenant_id", "old"], how="semi")
    ends = merge_paths(successors, into.select("tenant_id", start_id="new"))
    return pl.concat([olds.rename({"old": "value"}), ends.select("tenant_id", value="device_id")]).unique()


def _of_images(leads: pl.DataFrame, new_evidence: pl.LazyFrame) -> pl.DataFrame:
    return _linked_by(leads, "file", system_images(new_evidence))


def _of_hashes(leads: pl.DataFrame, hashes: pl.DataFrame, new_evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return the leads that new records can link by another hash of their files, or by one less."""
    new = new_evidence.select("tenant_id", "SHA1", "SHA256").drop_nulls("SHA1").unique().collect()
    new = new.select("tenant_id", *(each(pl.col(name), identifier, SIMPLE_IDENTIFIER) for name in ("SHA1", "SHA256")))
    sha1 = new.select("tenant_id", value="SHA1").drop_nulls()
    paired = hashes.filter("alone").join(sha1.unique(), left_on=["tenant_id", "sha1"], right_on=_VALUE, how="semi")
    linked = pl.concat([sha1, paired.select("tenant_id", value="sha256")])
    # A file that has two SHA-1 from now on loses the one that it had.
    files = leads.select(*ALERT_KEY, "entities").explode("entities").unnest("entities").filter(kind="file")
    by_sha1 = files.filter(pl.col("value").str.len_chars() == _LENGTH_OF_SHA1).select(ALERT_KEY).unique()
    of_sha256 = _linked_by(leads, "file", new.select("tenant_id", value="SHA256").drop_nulls())
    return pl.concat([_linked_by(leads, "file", linked), of_sha256.join(by_sha1, on=ALERT_KEY, how="semi")])


def _linked_by_address(leads: pl.DataFrame, egress: pl.DataFrame) -> pl.DataFrame:
    return _linked_by(leads, "address", egress.rename({"address": "value"}))


def _linked_by(leads: pl.DataFrame, kind: str, values: pl.DataFrame) -> pl.DataFrame:
    linked = leads.select(*ALERT_KEY, entity="entities").explode("entity").unnest("entity").filter(kind=kind)
    return linked.join(values, on=_VALUE, how="semi").select(ALERT_KEY)


def _named_devices(evidence: pl.LazyFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the devices that alerts name. AdditionalFields are read only for the alerts that need them."""
    columns = [*ALERT_KEY, "Timestamp", "record_id", *_OF_DEVICES]
    rows = records_of(evidence, alerts).select(columns).collect()
    needy = rows.filter(needs_fields()).select(ALERT_KEY).unique()
    parsed = with_fields(records_of(evidence, needy).select(*columns, "AdditionalFields").collect())
    others = rows.join(needy, on=ALERT_KEY, how="anti").with_columns(
        fields=pl.lit(None, parsed.schema["fields"]), AdditionalFields=pl.lit(None, pl.String)
    )
    return named_devices(pl.concat([parsed, others.select(parsed.columns)]))


def _of_detections(leads: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    old, added = (
        rows.select(*ALERT_KEY, detection=detections_of(rows.get_column(title)))
        for rows, title in ((leads, "title"), (new, "Title"))
    )
    return old.join(added, on=["tenant_id", "detection"], how="semi").select(ALERT_KEY)


def _of_entities(leads: pl.DataFrame, new_evidence: pl.LazyFrame) -> pl.DataFrame:
    named = counted_entities(leads)
    return named.join(mentions_of(named, new_evidence), on=["tenant_id", "kind", "value"], how="semi").select(ALERT_KEY)


def _identifiers(accounts: pl.DataFrame) -> pl.DataFrame:
    return accounts.unpivot(list(IDENTIFIERS), index="tenant_id").drop_nulls("value").select(_VALUE)


def _of_persons(leads: pl.DataFrame, related: pl.DataFrame) -> pl.DataFrame:
    """Return the leads with an account that is among the related identifiers.

    `entities` has all identifiers of an alert, except of what links nothing, such as a mail's submitter. The list of
    accounts has those, with the values of the newest evidence of each, so one of its values is what it is known by. The
    list of mailboxes lacks identifiers, so a lead with mailboxes counts as one with any account.
    """
    if related.is_empty():
        return leads.select(ALERT_KEY).clear()
    linked = leads.select(*ALERT_KEY, entity="entities").explode("entity").unnest("entity")
    values = pl.concat([linked.filter(kind="user").select(*ALERT_KEY, "value"), _listed(leads)])
    mailboxes = leads.filter(pl.col("mailboxes").list.len() > 0).join(related, on="tenant_id", how="semi")
    return pl.concat([values.join(related, on=_VALUE, how="semi").select(ALERT_KEY), mailboxes.select(ALERT_KEY)])


def _listed(leads: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and `value`: whatever an account of the leads' lists can be known by."""
    texts = ("object_id", "sid", "upn", "domain", "name", "display_name")
    account = leads.select(*ALERT_KEY, "accounts").explode("accounts").unnest("accounts")
    account = account.select(
        *ALERT_KEY,
        pl.col(texts).str.to_lowercase(),
        *(each(pl.col(name), identifier, SIMPLE_IDENTIFIER).alias(f"normal_{name}") for name in texts),
    )
    account = account.with_columns(
        *(pl.concat_str(f"{form}domain", pl.lit("\\"), f"{form}name").alias(f"{form}full") for form in ("", "normal_")),
        mail=each(pl.col("normal_upn"), mail_address, SIMPLE_MAIL),
        from_sid=each(pl.col("normal_sid"), object_id_of_sid),
        guid=each(pl.col("object_id"), object_id, SIMPLE_OBJECT_ID),
        implicit=pl.concat_str("normal_name", pl.lit("@"), "normal_domain"),
    )
    values = account.drop("domain", "normal_domain").unpivot(index=ALERT_KEY)
    return values.drop("variable").drop_nulls("value").unique()
