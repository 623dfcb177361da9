"""Identities of accounts: normal forms of their identifiers, and which identifiers belong to one person."""

import struct
import uuid
from itertools import pairwise

import polars as pl

from defender_assets.core.identifiers import connected_components
from defender_assets.core.leads.entities.identifier_text import (
    SIMPLE_IDENTIFIER,
    SIMPLE_OBJECT_ID,
    by_value,
    each,
    identifier,
    object_id,
    passes,
)
from defender_assets.core.leads.entities.mail_addresses import SIMPLE_MAIL, mail_address
from defender_assets.core.leads.entities.unlinked import GROUP_SID, PERSON_SID, is_authority, is_system_name

IDENTIFIERS = ("user_object_id", "user_upn", "user_sid", "user_name")
"""Columns that `with_identifiers` adds, in order of preference as a person's identity."""

ACCOUNT_COLUMNS = {
    "account_object_id": "AccountObjectId",
    "account_upn": "AccountUpn",
    "account_sid": "AccountSid",
    "account_domain": "AccountDomain",
    "account_name": "AccountName",
}
"""Our column -> column of AlertEvidence."""

PERSONS = pl.Schema({"tenant_id": pl.String, "value": pl.String, "identity": pl.String})

MOST_IDENTIFIERS = 20
"""More identifiers than this are a false join (a shared name), not a person; such a group is ignored."""

FEW_NAMED = 0.1
"""If fewer identifiers are named than this share of the accounts, it is faster to search without the tenants first."""

_NO_DOMAINS = [".", "workgroup", "localhost"]
_ENTRA_SID = "s-1-12-1-"


def object_id_of_sid(sid: str) -> str | None:
    """Return the Entra object id that an `S-1-12-1-…` SID encodes as four little-endian uint32, else None."""
    parts = sid.lower().removeprefix(_ENTRA_SID).split("-")
    try:
        return str(uuid.UUID(bytes_le=struct.pack("<4I", *map(int, parts))))
    except (ValueError, struct.error):
        return None


def with_identifiers(frame: pl.DataFrame) -> pl.DataFrame:
    """Add IDENTIFIERS, lower case and NFKC, from ACCOUNT_COLUMNS.

    They are null for accounts that everybody has (`unlinked`): of the system, of machines, built-in groups.
    """
    frame = frame.with_columns(
        each(pl.col(name), identifier, SIMPLE_IDENTIFIER).name.prefix("_") for name in ACCOUNT_COLUMNS
    )
    frame = frame.with_columns(
        _account_upn=each(pl.col("_account_upn"), mail_address, SIMPLE_MAIL),
        _account_object_id=each(pl.col("_account_object_id"), object_id, SIMPLE_OBJECT_ID),
    )
    domain, name, sid, upn = (pl.col(f"_account_{part}") for part in ("domain", "name", "sid", "upn"))
    entra = sid.str.starts_with(_ENTRA_SID)
    from_sid = by_value(frame.select(pl.when(entra).then(sid)).to_series(), object_id_of_sid)
    person = sid.str.contains(PERSON_SID) & ~sid.str.contains(GROUP_SID)
    personal = pl.any_horizontal(
        person, pl.col("_account_object_id").is_not_null(), upn.str.contains("@", literal=True)
    ).fill_null(value=False)
    nobody = pl.any_horizontal(
        passes(domain, is_authority),
        passes(name, is_system_name) & ~personal,
        sid.str.starts_with("s-1-") & ~person,
        name.str.ends_with("$"),
        upn.str.contains(r"\$(?:@|$)"),
    ).fill_null(value=False)
    qualified = domain.is_not_null() & ~domain.is_in(_NO_DOMAINS)
    identifiers = {
        "user_object_id": pl.coalesce("_account_object_id", pl.lit(from_sid)),
        # Some services write a UPN into the bare name.
        "user_upn": pl.coalesce(pl.when(text.str.contains("@", literal=True)).then(text) for text in (upn, name)),
        "user_sid": pl.when(~entra & sid.str.starts_with("s-1-")).then(sid),
        # With the domain's name in DNS this is the implicit UPN.
        "user_name": pl.when(qualified & ~name.str.contains("@", literal=True)).then(
            pl.when(domain.str.contains(".", literal=True)).then(name + "@" + domain).otherwise(domain + "\\" + name)
        ),
    }
    return frame.with_columns(
        **{column: pl.when(~nobody).then(expression) for column, expression in identifiers.items()}
    ).drop(f"_{name}" for name in ACCOUNT_COLUMNS)


def known_accounts(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return `tenant_id` and IDENTIFIERS, in normal form, of the accounts that have several of them, each once.

    `evidence` are typed AlertEvidence rows of the look-back.
    """
    rows = with_identifiers(
        evidence.select("tenant_id", **ACCOUNT_COLUMNS)
        .filter(pl.any_horizontal(pl.col(name).is_not_null() for name in ACCOUNT_COLUMNS))
        .unique()
        .collect()
    )
    several = pl.sum_horizontal(pl.col(name).is_not_null() for name in IDENTIFIERS) > 1
    return rows.filter(several).select("tenant_id", *IDENTIFIERS).unique()


def known_persons(accounts: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Return PERSONS from the accounts that have several identifiers, of the named ones alone.

    One row per identifier that belongs to a group; `identity` is the preferred identifier of the group.

    `accounts` are those of `known_accounts`. `named` has `tenant_id` and `value`, identifiers in normal form; groups
    that have none of them are left out.
    """
    alone, others = _alone(_reached(accounts, named))
    pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
    ranks: dict[tuple[str, str], tuple[int, str]] = {}
    for tenant_id, *values in others.iter_rows():
        nodes = [(tenant_id, value) for value in values if value]
        ranks |= {(tenant_id, value): (rank, value) for rank, value in enumerate(values) if value}
        pairs += pairwise(nodes)
    found = [
        (tenant_id, value, min(ranks[member] for member in group)[1])
        for group in connected_components(pairs)
        if len(group) <= MOST_IDENTIFIERS
        for tenant_id, value in group
    ]
    persons = alone.with_columns(identity=pl.coalesce(IDENTIFIERS)).unpivot(
        IDENTIFIERS, index=["tenant_id", "identity"]
    )
    return pl.concat(
        [persons.drop_nulls("value").select(PERSONS.names()), pl.DataFrame(found, schema=PERSONS, orient="row")]
    )


def _alone(accounts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the accounts that share no identifier with another one, each of which is a person, and all others."""
    numbered = accounts.with_row_index("_row")
    values = numbered.unpivot(IDENTIFIERS, index=["_row", "tenant_id"]).drop_nulls("value")
    shared = values.filter(pl.struct("tenant_id", "value").is_duplicated()).select("_row")
    alone = numbered.join(shared, on="_row", how="anti")
    return alone.drop("_row"), numbered.join(shared, on="_row", how="semi").drop("_row")


def related_identifiers(accounts: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Return `tenant_id` and `value` of all identifiers that belong together with the named ones, these included.

    The arguments are those of `known_persons`.
    """
    related = _reached(accounts, named).unpivot(list(IDENTIFIERS), index="tenant_id").drop_nulls("value")
    return pl.concat([related.drop("variable"), named.select("tenant_id", "value")]).unique()


def _reached(accounts: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Return the accounts that share an identifier with the named ones, directly or through other accounts."""
    if named.height < accounts.height * FEW_NAMED:
        accounts = _reached_in_any_tenant(accounts, named.get_column("value").unique())
    numbered = accounts.with_row_index("_row")
    identifiers = (
        numbered.unpivot(list(IDENTIFIERS), index=["_row", "tenant_id"]).drop_nulls("value").drop("variable").unique()
    )
    found = identifiers.join(named.select("tenant_id", "value"), on=["tenant_id", "value"], how="semi")
    rows = found.select("_row").unique()
    count = -1
    while rows.height != count:
        count = rows.height
        values = identifiers.join(rows, on="_row", how="semi").select("tenant_id", "value").unique()
        rows = identifiers.join(values, on=["tenant_id", "value"], how="semi").select("_row").unique()
    return numbered.join(rows, on="_row", how="semi").drop("_row")


def _reached_in_any_tenant(accounts: pl.DataFrame, values: pl.Series) -> pl.DataFrame:
    """Return what `_reached` would return if all accounts were of one tenant.

    They are usually few. `_reached` then compares them by tenant.
    """
    rows, count = accounts.clear(), -1
    while rows.height != count:
        count = rows.height
        rows = accounts.filter(pl.any_horizontal(pl.col(name).is_in(values.implode()) for name in IDENTIFIERS))
        values = pl.concat([values, *(rows.get_column(name).alias("value") for name in IDENTIFIERS)]).unique()
    return rows
