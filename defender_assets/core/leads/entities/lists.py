"""The lists on a lead: its accounts, files, processes, addresses … each entity once, as its newest evidence tells it.

Which of them tie leads together is decided in `links.py`.
"""

from dataclasses import dataclass

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, host_of

_TEXT = pl.String()


@dataclass(frozen=True)
class EntityList:
    """One list of a lead.

    `keep` says which entity rows belong to it, `key` what makes two rows the same entity, `fields` maps the fields of
    its structs to columns of the rows.
    """

    name: str
    meaning: str
    keep: pl.Expr
    key: tuple[str, ...]
    fields: dict[str, str]

    @property
    def dtype(self) -> pl.List:
        """Return the type of the list's column."""
        integers = {"size", "process_id"}
        return pl.List(pl.Struct({name: pl.Int64() if name in integers else _TEXT for name in self.fields}))


def _filled(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_not_null() for column in columns)


_ENTITY = pl.col("entity").fill_null("")

ENTITY_LISTS = (
    EntityList(
        "accounts",
        "Accounts of the alert, one entry per person",
        _filled("person") & (_ENTITY != "mailbox"),
        ("person",),
        {
            "name": "account_name",
            "domain": "account_domain",
            "upn": "account_upn",
            "sid": "account_sid",
            "object_id": "account_object_id",
            "role": "role",
        },
    ),
    EntityList(
        "files",
        "Files of the alert; images of processes are with the processes",
        _filled("sha1", "sha256", "md5", "file_name") & (_ENTITY != "process"),
        ("_file",),
        {
            "name": "file_name",
            "folder": "folder",
            "sha1": "sha1",
            "sha256": "sha256",
            "size": "size",
            "threat_family": "threat_family",
            "role": "role",
            "verdict": "verdict",
        },
    ),
    EntityList(
        "processes",
        "Processes of the alert with their images and parents; `started` as Microsoft wrote it",
        (_ENTITY == "process") & _filled("file_name", "command_line", "sha1", "sha256"),
        ("_file", "command_line", "process_id", "created"),
        {
            "file_name": "file_name",
            "folder": "folder",
            "command_line": "command_line",
            "sha1": "sha1",
            "sha256": "sha256",
            "process_id": "process_id",
            "started": "created",
            "parent_file_name": "parent_file_name",
            "parent_command_line": "parent_command_line",
            "role": "role",
            "verdict": "verdict",
        },
    ),
    EntityList(
        "ip_addresses",
        "Addresses of the alert, private ones included; country as ISO code",
        _filled("address"),
        ("address",),
        {"address": "address", "country": "country", "role": "role", "verdict": "verdict"},
    ),
    EntityList(
        "urls",
        "URLs of the alert and of its mails, with their hosts",
        _filled("url"),
        ("url",),
        {"url": "url", "host": "host", "role": "role", "verdict": "verdict"},
    ),
    EntityList(
        "mails",
        "E-mails of the alert, one entry per message and recipient",
        _filled("network_message_id") | (_ENTITY == "mailmessage"),
        ("network_message_id", "recipient", "_loose_mail"),
        {
            "network_message_id": "network_message_id",
            "subject": "subject",
            "sender": "sender",
            "recipient": "recipient",
            "role": "role",
            "verdict": "verdict",
        },
    ),
    EntityList(
        "mailboxes",
        "Mailboxes of the alert",
        (_ENTITY == "mailbox") & _filled("person", "mailbox_address", "display_name"),
        ("person", "mailbox_address"),
        {"upn": "account_upn", "address": "mailbox_address", "display_name": "display_name", "role": "role"},
    ),
    EntityList(
        "registry",
        "Registry keys and values of the alert",
        _filled("registry_key"),
        ("registry_key", "value_name", "value_data"),
        {"key": "registry_key", "value_name": "value_name", "value_data": "value_data", "role": "role"},
    ),
    EntityList(
        "cloud_resources",
        "Cloud resources of the alert",
        _filled("cloud_name", "resource_id"),
        ("_resource",),
        {
            "name": "cloud_name",
            "platform": "cloud_platform",
            "type": "cloud_type",
            "resource_id": "resource_id",
            "subscription_id": "subscription_id",
            "role": "role",
        },
    ),
    EntityList(
        "applications",
        "Cloud and OAuth applications of the alert",
        _filled("application", "application_id", "oauth_application_id"),
        ("_application",),
        {
            "name": "application",
            "application_id": "application_id",
            "oauth_application_id": "oauth_application_id",
            "role": "role",
        },
    ),
    EntityList(
        "logon_sessions",
        "Sessions and requests of sign-ins, by cloud or host; `started` as Microsoft wrote it",
        _ENTITY.str.contains("logon") & _filled("session_id", "user_agent"),
        ("session_id", "user_agent"),
        {
            "kind": "entity",
            "session_id": "session_id",
            "account": "person",
            "started": "session_started",
            "user_agent": "user_agent",
            "role": "role",
        },
    ),
    EntityList(
        "hashes",
        "Hashes of files and images, with an MD5 where Microsoft gives one",
        _filled("sha256", "sha1", "md5"),
        ("sha256", "sha1", "md5"),
        {"sha256": "sha256", "sha1": "sha1", "md5": "md5", "file_name": "file_name"},
    ),
)
"""The lists, in the order of the lead's columns."""


def entity_lists(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and one list of structs per ENTITY_LISTS; an alert without any entity has no row.

    Every field is that of the newest evidence of the entity which fills it (by Timestamp, then record_id). The lists
    are sorted by their fields.
    """
    rows = with_mail_urls(rows).with_columns(
        _file=pl.coalesce("sha256", "sha1", "md5", (pl.col("folder").fill_null("") + "\\" + pl.col("file_name"))),
        _application=pl.coalesce("oauth_application_id", "application_id", pl.col("application").str.to_lowercase()),
        _resource=pl.coalesce("resource_id", "cloud_name").str.to_lowercase(),
        # Without the id that Microsoft 365 gives a message, only its subject and sender tell it from another.
        _loose_mail=pl.when(pl.col("network_message_id").is_null()).then(
            pl.concat_str("subject", "sender", separator="\0", ignore_nulls=True)
        ),
    )
    result = rows.select(ALERT_KEY).unique()
    for listed in ENTITY_LISTS:
        result = result.join(_one_list(rows, listed), on=ALERT_KEY, how="left")
    return result


def with_mail_urls(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows and, for every URL inside a mail, one more row that holds only the URL."""
    inside = (
        rows.filter(pl.col("urls").list.len() > 0)
        .select(*ALERT_KEY, "Timestamp", "record_id", "role", url="urls")
        .explode("url")
        .with_columns(entity=pl.lit("url"))
    )
    inside = inside.with_columns(host=by_value(inside.get_column("url"), host_of))
    return pl.concat([rows, inside], how="diagonal")


def _one_list(rows: pl.DataFrame, listed: EntityList) -> pl.DataFrame:
    keys = [f"_key_{column}" for column in listed.key]
    kept = rows.filter(listed.keep).select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        *(pl.col(column).alias(key) for column, key in zip(listed.key, keys, strict=True)),
        **listed.fields,
    )
    names = list(listed.fields)
    return (
        kept.sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, *keys, maintain_order=True)
        .agg(pl.col(names).last(ignore_nulls=True))
        .sort(*ALERT_KEY, *names, *keys)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(pl.struct(names).alias(listed.name))
    )
