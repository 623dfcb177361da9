"""The fields of an entity in AdditionalFields: as a tuple, as a struct type, and as a frame."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from defender_assets.core.leads.entities.shapes import Values


class Fields(NamedTuple):
    """The values of one entity; None if absent. `entity` is its kind, `other` its type if it has no list of its own."""

    entity: str | None = None
    other: str | None = None
    role: str | None = None
    role_number: str | None = None
    entity_key: str | None = None
    machine_id: str | None = None
    host_name: str | None = None
    dns_domain: str | None = None
    fqdn: str | None = None
    os_family: str | None = None
    detection_status: str | None = None
    last_verdict: str | None = None
    suspicion_level: str | None = None
    remediation_state: str | None = None
    name: str | None = None
    details: str | None = None
    file_name: str | None = None
    folder: str | None = None
    size: int | None = None
    sha1: str | None = None
    sha256: str | None = None
    md5: str | None = None
    prevalence: str | None = None
    threat_family: str | None = None
    process_id: int | None = None
    created: str | None = None
    command_line: str | None = None
    parent_file_name: str | None = None
    parent_command_line: str | None = None
    parent_folder: str | None = None
    parent_process_id: int | None = None
    parent_sha1: str | None = None
    parent_sha256: str | None = None
    account_name: str | None = None
    account_domain: str | None = None
    account_sid: str | None = None
    account_object_id: str | None = None
    account_upn: str | None = None
    account_display_name: str | None = None
    account_role: str | None = None
    account_role_number: str | None = None
    address: str | None = None
    country: str | None = None
    url: str | None = None
    domain: str | None = None
    network_message_id: str | None = None
    subject: str | None = None
    sender: str | None = None
    recipient: str | None = None
    mail_direction: str | None = None
    mailbox_address: str | None = None
    display_name: str | None = None
    configuration: str | None = None
    session_id: str | None = None
    session_started: str | None = None
    user_agent: str | None = None
    application: str | None = None
    application_id: str | None = None
    oauth_application_id: str | None = None
    object_id: str | None = None
    instance: str | None = None
    publisher: str | None = None
    owner_tenant: str | None = None
    cloud_name: str | None = None
    cloud_type: str | None = None
    cloud_platform: str | None = None
    resource_id: str | None = None
    subscription_id: str | None = None
    parent: str | None = None
    image: str | None = None
    registry_key: str | None = None
    value_name: str | None = None
    value_data: str | None = None
    unlinked: bool | None = None


_TYPES: Mapping[str, pl.DataType] = {
    "process_id": pl.Int64(), "parent_process_id": pl.Int64(), "size": pl.Int64(), "unlinked": pl.Boolean(),
}  # fmt: skip
ENTITY = {name: _TYPES.get(name, pl.String()) for name in Fields._fields}
"""Each of `Fields` with its type."""

FIELDS = pl.Struct(ENTITY | {"inside": pl.List(pl.Struct(ENTITY))})
"""`Fields` as a struct type, with those of the entities inside it."""


def entity_frame(entities: list[Values]) -> pl.DataFrame:
    """Return a row for each entity, with a column for each of `Fields`; null where a value is absent."""
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
