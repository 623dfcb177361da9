"""The fields of an entity in AdditionalFields: their types, as a struct type, and as a frame."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from defender_assets.core.leads.entities.shapes import Values

_NAMES = (
    "entity", "other", "role", "role_number", "entity_key", "machine_id", "host_name", "dns_domain", "fqdn",
    "os_family",
    "detection_status", "last_verdict", "suspicion_level", "remediation_state", "name", "details",
    "file_name", "folder", "size", "sha1", "sha256", "md5", "prevalence", "threat_family",
    "process_id", "created", "command_line", "parent_file_name", "parent_command_line", "parent_folder",
    "parent_process_id", "parent_sha1", "parent_sha256",
    "account_name", "account_domain", "account_sid", "account_object_id", "account_upn", "account_display_name",
    "account_role", "account_role_number",
    "address", "country", "url", "domain",
    "network_message_id", "subject", "sender", "recipient", "mail_direction", "mailbox_address", "display_name",
    "configuration",
    "session_id", "session_started", "user_agent",
    "application", "application_id", "oauth_application_id", "object_id", "instance", "publisher", "owner_tenant",
    "cloud_name", "cloud_type", "cloud_platform", "resource_id", "subscription_id", "parent", "image",
    "registry_key", "value_name", "value_data", "unlinked",
)  # fmt: skip
_TYPES: Mapping[str, pl.DataType] = {
    "process_id": pl.Int64(), "parent_process_id": pl.Int64(), "size": pl.Int64(), "unlinked": pl.Boolean(),
}  # fmt: skip
ENTITY = {name: _TYPES.get(name, pl.String()) for name in _NAMES}
"""Field -> type. `entity` is the entity's kind, `other` its type if it has no list of its own."""

FIELDS = pl.Struct(ENTITY | {"inside": pl.List(pl.Struct(ENTITY))})
"""ENTITY as a struct type, with the fields of the entities inside it."""


def entity_frame(entities: list[Values]) -> pl.DataFrame:
    """Return a row for each entity, with a column for each field of ENTITY; null where a value is absent."""
    columns: dict[str, list[Any]] = {}
    for index, entity in enumerate(entities):
        for name, value in entity.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(entities)
            column[index] = value
    absent = pl.Series([None], dtype=pl.Null)
    return pl.DataFrame(
        [
            pl.Series(name, columns[name], dtype=dtype)
            if name in columns
            else absent.new_from_index(0, len(entities)).cast(dtype).alias(name)
            for name, dtype in ENTITY.items()
        ]
    )
