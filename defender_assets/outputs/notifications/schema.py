"""The table `sent_notices`: an entry for each step of each notice, added and never changed.

What a step means stands in `outbox`. No text of an alert and no address of a webhook ever stands here.
"""

import polars as pl

from defender_assets.core.schemas.column import Column, instant, integer, text, texts

SENT_NOTICES = "sent_notices"

NOTICE_COLUMNS = (
    text("tenant_id", "Tenant of the lead or story; null for what concerns the installation"),
    Column("export_date", pl.Date(), "Day (UTC) on which the entry was written. The partition"),
    integer("entry", "Number of the commit that wrote the entry: grows"),
    text("notice_id", "Hash of tenant, kind, subject and how often it was told before: the same for all destinations"),
    text("kind", "lead, story, run_failed, check_failed; watch and pause are about the destination itself"),
    text("subject_id", "lead_id, story_id, or day and what failed; the least risk for watch"),
    text("destination", "teams or slack"),
    text("state", "claimed, sent, released, refused, recovered; watching, waiting, ready for the destination itself"),
    texts("lead_ids", "Leads that the notice tells of"),
    instant("until", "End of the claim, or when to try again"),
    integer("attempts", "Failed attempts in a row so far"),
    Column("since", pl.Date(), "First partition that is news (watch)"),
    instant("written_at", "When the entry was written"),
    instant("sent_at", "When the receiver had said yes"),
)
"""Every column of `sent_notices`, in order."""

NOTICE_SCHEMA = pl.Schema({column.name: column.dtype for column in NOTICE_COLUMNS})
