"""The entity lists of a lead: accounts, files, processes, addresses …, each entity once, with its newest values."""

from dataclasses import dataclass

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, host_of


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
        integers = {"size", "process_id"}
        return pl.List(pl.Struct({name: pl.Int64() if name in integers else pl.String() for name in self.fields}))


def _filled(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_not_null() for column in columns)


_ENTITY = pl.col("entity").fill_null("")

ENTITY_LISTS = (
    EntityList("accounts", "Accounts of the alert, one entry per person",
               _filled("person") & (_ENTITY != "mailbox"), ("person",),
               "name=account_name domain=account_domain upn=account_upn sid=account_sid "
               "object_id=account_object_id role"),
    EntityList("files", "Files of the alert; images of processes are with the processes",
               _filled("sha1", "sha256", "md5", "file_name") & (_ENTITY != "process"), ("_file",),
               "name=file_name folder sha1 sha256 size threat_family role verdict"),
    EntityList("processes", "Processes of the alert with their images and parents; `started` as Microsoft wrote it",
               (_ENTITY == "process") & _filled("file_name", "command_line", "sha1", "sha256"),
               ("_file", "command_line", "process_id", "created"),
               "file_name folder command_line sha1 sha256 process_id started=created "
               "parent_file_name parent_command_line role verdict"),
    EntityList("ip_addresses", "Addresses of the alert, private ones included; country as ISO code",
               _filled("address"), ("address",),
               "address country role verdict"),
    EntityList("urls", "URLs of the alert and of its mails, with their hosts",
               _filled("url"), ("url",),
               "url host role verdict"),
    EntityList("mails", "E-mails of the alert, one entry per message and recipient",
               _filled("network_message_id") | (_ENTITY == "mailmessage"),
               ("network_message_id", "recipient", "_loose_mail"),
               "network_message_id subject sender recipient role verdict"),
    EntityList("mailboxes", "Mailboxes of the alert",
               (_ENTITY == "mailbox") & _filled("person", "mailbox_address", "display_name"),
               ("person", "mailbox_address"),
               "upn=account_upn address=mailbox_address display_name role"),
    EntityList("registry", "Registry keys and values of the alert",
               _filled("registry_key"), ("registry_key", "value_name", "value_data"),
               "key=registry_key value_name value_data role"),
    EntityList("cloud_resources", "Cloud resources of the alert",
               _filled("cloud_name", "resource_id"), ("_resource",),
               "name=cloud_name platform=cloud_platform type=cloud_type resource_id subscription_id role"),
    EntityList("applications", "Cloud and OAuth applications of the alert",
               _filled("application", "application_id", "oauth_application_id"), ("_application",),
               "name=application application_id oauth_application_id role"),
    EntityList("logon_sessions", "Sessions and requests of sign-ins, by cloud or host; `started` as Microsoft wrote it",
               _ENTITY.str.contains("logon") & _filled("session_id", "user_agent"), ("session_id", "user_agent"),
               "kind=entity session_id account=person started=session_started user_agent role"),
    EntityList("hashes", "Hashes of files and images, with an MD5 where Microsoft gives one",
               _filled("sha256", "sha1", "md5"), ("sha256", "sha1", "md5"),
               "sha256 sha1 md5 file_name"),
)  # fmt: skip
"""The lists, in the order of the lead's columns."""


def entity_lists(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and one list of structs per ENTITY_LISTS, sorted by its fields; no row for an alert without any.

    A field has the newest value that evidence gives for the entity (by Timestamp, then record_id).
    """
    rows = with_mail_urls(rows).with_columns(
        _file=pl.coalesce("sha256", "sha1", "md5", (pl.col("folder").fill_null("") + "\\" + pl.col("file_name"))),
        _application=pl.coalesce("oauth_application_id", "application_id", pl.col("application").str.to_lowercase()),
        _resource=pl.coalesce("resource_id", "cloud_name").str.to_lowercase(),
        # A message without the id of Microsoft 365 is identified by subject and sender.
        _loose_mail=pl.when(pl.col("network_message_id").is_null()).then(
            pl.concat_str("subject", "sender", separator="\0", ignore_nulls=True)
        ),
    )
    result = rows.select(ALERT_KEY).unique()
    for entity_list in ENTITY_LISTS:
        result = result.join(_one_list(rows, entity_list), on=ALERT_KEY, how="left")
    return result


def with_mail_urls(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows and one more row, with only the URL, for every URL inside a mail."""
    inside = (
        rows.filter(pl.col("urls").list.len() > 0)
        .select(*ALERT_KEY, "Timestamp", "record_id", "role", url="urls")
        .explode("url")
        .with_columns(entity=pl.lit("url"))
    )
    inside = inside.with_columns(host=by_value(inside.get_column("url"), host_of))
    return pl.concat([rows, inside], how="diagonal")


def _one_list(rows: pl.DataFrame, entity_list: EntityList) -> pl.DataFrame:
    keys = {f"_key_{column}": column for column in entity_list.key}
    fields = entity_list.fields
    kept = rows.filter(entity_list.keep).select(*ALERT_KEY, "Timestamp", "record_id", **keys, **fields)
    return (
        kept.sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, *keys, maintain_order=True)
        .agg(pl.col(list(fields)).last(ignore_nulls=True))
        .sort(*ALERT_KEY, *fields, *keys)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(pl.struct(list(fields)).alias(entity_list.name))
    )
