"""Schema of `sent_notices`: one entry per step of each notification, append-only. `outbox` explains the steps.

The table contains no text of an alert and no webhook address.
"""

import polars as pl

from defender_assets.core.schemas.column import Column, column_schema, instant, integer, text, texts

SENT_NOTICES = "sent_notices"

NOTICE_COLUMNS = (
    text("tenant_id", "Tenant of the lead or story; null for what concerns the installation"),
    Column("export_date", pl.Date(), "Day (UTC) on which the entry was written. The partition"),
    integer("entry", "Number of the commit that wrote the entry; it increases"),
    text("notice_id", "Hash of tenant, kind, subject_id and how often it was sent before; equal for all destinations"),
    text(
        "kind",
        "lead, story, run_failed, check_failed, silence; watch_priority, watch (by risk, of older versions) and pause "
        "concern the destination itself",
    ),
    text(
        "subject_id",
        "lead_id, story_id, day and what failed, or what is silent; the lowest priority sent for watch_priority",
    ),
    text("destination", "teams or slack"),
    text(
        "state",
        "claimed, sent, released, refused, recovered (if it is a silence, its end was sent); watching, waiting, ready "
        "for the destination itself",
    ),
    texts("lead_ids", "Leads that the notification covers"),
    instant("until", "When the claim expires, or the time of the next attempt"),
    integer("attempts", "Failed attempts in a row so far"),
    Column("since", pl.Date(), "First partition from which leads and stories are sent (watch_priority)"),
    instant("written_at", "When the entry was written"),
    instant("sent_at", "When the receiver had accepted the message"),
)

NOTICE_SCHEMA = column_schema(NOTICE_COLUMNS)
