"""The entity lists of a lead: accounts, files, processes, addresses …, each entity once, with its newest values."""

from dataclasses import dataclass

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY


@dataclass(frozen=True)
class EntityList:
    """One list of a lead.

    `keep` selects its rows, `key` identifies an entity, `struct` names the fields of its structs, as `field=column`
    where the column of the rows has another name.
    """

    name: str
    meaning: str
    keep: pl.Expr
    key: tuple[str, ...]
    struct: str

    @property
    def fields(self) -> dict[str, str]:
        """Return field -> column of the rows."""
        pairs = (word.partition("=") for word in self.struct.split())
        return {field: column or field for field, _, column in pairs}

    @property
    def dtype(self) -> pl.List:
        """Return the type of the list's column."""
        integers = {"size", "process_id", "parent_process_id"}
        return pl.List(pl.Struct({name: pl.Int64() if name in integers else pl.String() for name in self.fields}))


def _filled(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_not_null() for column in columns)


_ENTITY = pl.col("entity").fill_null("")
_MAILS = ("mailmessage", "submissionmail")

ENTITY_LISTS = (
    EntityList("accounts", "Accounts of the alert, one entry per person",
               _filled("person") & (_ENTITY == "user"), ("person",),
               "name=account_name domain=account_domain upn=account_upn sid=account_sid "
               "object_id=account_object_id role display_name=account_display_name"),
    EntityList("files", "Files of the alert, attachments of mails too; images of processes are with the processes",
               _filled("sha1", "sha256", "md5", "file_name") & (_ENTITY != "process"), ("_file",),
               "name=file_name folder sha1 sha256 size threat_family role verdict"),
    EntityList("processes", "Processes of the alert with their images and parents; `started` as Microsoft wrote it",
               (_ENTITY == "process") & _filled("file_name", "command_line", "sha1", "sha256"),
               ("_file", "command_line", "process_id", "created"),
               "file_name folder command_line sha1 sha256 process_id started=created "
               "parent_file_name parent_command_line role verdict "
               "parent_folder parent_process_id parent_sha1 parent_sha256"),
    EntityList("ip_addresses", "Addresses of the alert, private ones included; country as ISO code",
               _filled("address"), ("address",),
               "address country role verdict"),
    EntityList("urls", "URLs of the alert and of its mails, with the hosts that they lead to",
               _filled("url"), ("url",),
               "url host role verdict"),
    EntityList("mails", "E-mails of the alert, one entry per message and recipient; addresses without display names",
               _filled("network_message_id") | (_ENTITY.is_in(_MAILS) & _filled("subject", "sender", "recipient")),
               ("network_message_id", "recipient", "_loose_mail"),
               "network_message_id subject sender recipient role verdict sender_name"),
    EntityList("mailboxes", "Mailboxes of the alert",
               _ENTITY.str.starts_with("mailbox") & _filled("person", "mailbox_address", "display_name"),
               ("person", "mailbox_address"),
               "upn=account_upn address=mailbox_address display_name role configuration"),
    EntityList("registry", "Registry keys and values of the alert",
               _filled("registry_key"), ("registry_key", "value_name", "value_data"),
               "key=registry_key value_name value_data role"),
    EntityList("cloud_resources", "Cloud resources, containers and IoT devices; `parent` is what contains one",
               _filled("cloud_name", "resource_id"), ("_resource",),
               "name=cloud_name platform=cloud_platform type=cloud_type resource_id subscription_id role "
               "parent image"),
    EntityList("applications", "Cloud and OAuth applications and service principals of the alert",
               _filled("application", "application_id", "oauth_application_id", "object_id"), ("_application",),
               "name=application application_id oauth_application_id role object_id instance publisher"),
    EntityList("logon_sessions", "Sessions and requests of sign-ins, by cloud or host; `started` as Microsoft wrote it",
               _ENTITY.str.contains("logon") & _filled("session_id", "user_agent"), ("session_id", "user_agent"),
               "kind=entity session_id account=person started=session_started user_agent role"),
    EntityList("hashes", "Hashes of files and images, with an MD5 where Microsoft gives one",
               _filled("sha256", "sha1", "md5"), ("sha256", "sha1", "md5"),
               "sha256 sha1 md5 file_name"),
    EntityList("other_entities", "Entities without a list of their own, and of types that nobody knows; "
               "`details` as JSON text",
               _filled("other"), ("_other", "name", "details"),
               "kind=other name role details"),
)  # fmt: skip
"""The lists, in the order of the lead's columns."""


def entity_lists(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and one list of structs per ENTITY_LISTS, sorted by its fields; no row for an alert without any.

    A field has the newest value that evidence of the entity itself gives (by Timestamp, then record_id); what only
    other entities say of it fills the gaps.
    """
    rows = rows.with_columns(
        _file=pl.coalesce("sha256", "sha1", "md5", (pl.col("folder").fill_null("") + "\\" + pl.col("file_name"))),
        _application=pl.coalesce(
            "oauth_application_id", "application_id", "object_id", "application"
        ).str.to_lowercase(),
        _resource=pl.coalesce(
            pl.col("resource_id").str.strip_chars_end("/"),
            pl.concat_str("entity", "parent", "cloud_name", separator="\0", ignore_nulls=True),
        ).str.to_lowercase(),
        _other=pl.col("other").str.to_lowercase(),
        # A message without the id of Microsoft 365 is identified by subject and sender.
        _loose_mail=pl.when(pl.col("network_message_id").is_null()).then(
            pl.concat_str("subject", "sender", separator="\0", ignore_nulls=True)
        ),
    )
    result = rows.select(ALERT_KEY).unique()
    for entity_list in ENTITY_LISTS:
        kept = _kept(rows, entity_list)
        if kept.is_empty():
            result = result.with_columns(pl.lit(None, entity_list.dtype).alias(entity_list.name))
        else:
            result = result.join(_one_list(kept, entity_list), on=ALERT_KEY, how="left")
    return result


def _keys(entity_list: EntityList) -> dict[str, str]:
    return {f"_key_{column}": column for column in entity_list.key}


def _kept(rows: pl.DataFrame, entity_list: EntityList) -> pl.DataFrame:
    columns = _keys(entity_list) | entity_list.fields
    kept = rows.lazy().filter(entity_list.keep)
    return kept.select(*ALERT_KEY, "nested", "Timestamp", "record_id", **columns).collect()


def _one_list(kept: pl.DataFrame, entity_list: EntityList) -> pl.DataFrame:
    keys, fields = _keys(entity_list), entity_list.fields
    return (
        kept.sort("nested", "Timestamp", "record_id", descending=[True, False, False])
        .group_by(*ALERT_KEY, *keys, maintain_order=True)
        .agg(pl.col(list(fields)).last(ignore_nulls=True))
        .sort(*ALERT_KEY, *fields, *keys)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(pl.struct(list(fields)).alias(entity_list.name))
    )
