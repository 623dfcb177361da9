"""Which leads of a day new records can change. All others stay as they are, if nothing but these records is new.

A lead is made of its own records, of the devices, and of four things that other alerts tell:

- which accounts are one person: an alert with an account that belongs together with a new one is built again;
- how many alerts have its detection, and how many name an entity that it names: only its score depends on these;
- whether the tenant has a week of alerts: records that are as old as that may touch every lead.

Any new heartbeat may touch every lead.
"""

from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.identifier_text import SIMPLE_IDENTIFIER, each, identifier
from defender_assets.core.leads.entities.identities import (
    IDENTIFIERS,
    known_accounts,
    object_id_of_sid,
    related_identifiers,
)
from defender_assets.core.leads.entities.mail_addresses import SIMPLE_MAIL, mail_address
from defender_assets.core.leads.risk.prevalence import KNOWN_AFTER_DAYS, counted_entities, detections_of, mentions_of

_VALUE = ["tenant_id", "value"]


class Touched(NamedTuple):
    """ALERT_KEY of alerts that new records can change: those to build again, and leads to score again."""

    rebuilt: pl.DataFrame
    rescored: pl.DataFrame


def touched_alerts(
    day: date, leads: pl.DataFrame, accounts: pl.DataFrame, new_info: pl.LazyFrame, new_evidence: pl.LazyFrame
) -> Touched | None:
    """Return the alerts that new records can change; None if they may change all.

    Args:
        day: the partition.
        leads: its leads before the new records, of LEAD_SCHEMA.
        accounts: result of `known_accounts`, with the new records.
        new_info: the new AlertInfo records; copies of older ones are allowed.
        new_evidence: the new AlertEvidence records, likewise.
    """
    new = pl.concat([table.select(*ALERT_KEY, "Title", "export_date") for table in (new_info, new_evidence)]).collect()
    if new.filter(pl.col("export_date") <= day - timedelta(days=KNOWN_AFTER_DAYS)).height:
        return None
    leads = leads.with_columns(AlertId="alert_id")
    related = related_identifiers(accounts, _identifiers(known_accounts(new_evidence)))
    return Touched(
        pl.concat([new.select(ALERT_KEY), _of_persons(leads, related)]).unique(),
        pl.concat([_of_detections(leads, new), _of_entities(leads, new_evidence)]).unique(),
    )


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
    )
    values = account.drop("domain", "normal_domain").unpivot(index=ALERT_KEY)
    return values.drop("variable").drop_nulls("value").unique()
