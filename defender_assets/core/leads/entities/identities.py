"""Identities of accounts: normal forms of their identifiers, and which identifiers belong to one person."""

import struct
import uuid
from itertools import pairwise

import polars as pl

from defender_assets.core.identifiers import connected_components
from defender_assets.core.leads.entities.addresses import by_value

IDENTIFIERS = ("user_object_id", "user_upn", "user_sid", "user_name")
"""Columns that `with_identifiers` adds, in order of preference as a person's identity."""

ACCOUNT_COLUMNS = {
    f"account_{ours}": f"Account{theirs}"
    for ours, theirs in (
        ("object_id", "ObjectId"),
        ("upn", "Upn"),
        ("sid", "Sid"),
        ("domain", "Domain"),
        ("name", "Name"),
    )
}
"""Our column -> column of AlertEvidence."""

PERSONS = pl.Schema({"tenant_id": pl.String, "value": pl.String, "identity": pl.String})

MOST_IDENTIFIERS = 20
"""More identifiers than this are a false join (a shared name), not a person; such a group is ignored."""

_NO_PERSON_DOMAINS = ["nt authority", "nt service", "builtin", "window manager", "font driver host", "iis apppool"]
_NO_DOMAINS = [".", "-", "workgroup", "localhost"]
# People: S-1-5-21-… (domains, machines), S-1-11-… (Microsoft accounts), S-1-12-1-… (Entra ID). Other SIDs belong to
# the system: S-1-5-18/19/20, services, window managers, groups.
_PERSON_SID = r"^s-1-(?:5-21|11|12-1)-"
_ENTRA_SID = "s-1-12-1-"
_NO_VALUES = ["", "-", "00000000-0000-0000-0000-000000000000", "s-1-0-0"]


def object_id_of_sid(sid: str) -> str | None:
    """Return the Entra object id that an `S-1-12-1-…` SID encodes as four little-endian uint32, else None."""
    parts = sid.lower().removeprefix(_ENTRA_SID).split("-")
    try:
        return str(uuid.UUID(bytes_le=struct.pack("<4I", *map(int, parts))))
    except (ValueError, struct.error):
        return None


def with_identifiers(frame: pl.DataFrame) -> pl.DataFrame:
    """Add IDENTIFIERS, lower case and NFKC, from ACCOUNT_COLUMNS; null for accounts of the system and machines."""
    frame = frame.with_columns(_normal(name).name.prefix("_") for name in ACCOUNT_COLUMNS)
    domain, name, sid, upn = (pl.col(f"_account_{part}") for part in ("domain", "name", "sid", "upn"))
    entra = sid.str.starts_with(_ENTRA_SID)
    from_sid = by_value(frame.select(pl.when(entra).then(sid)).to_series(), object_id_of_sid)
    nobody = pl.any_horizontal(
        domain.is_in(_NO_PERSON_DOMAINS),
        sid.str.starts_with("s-1-") & ~sid.str.contains(_PERSON_SID),
        name.str.ends_with("$"),
        upn.str.contains(r"\$(?:@|$)"),
    ).fill_null(value=False)
    qualified = domain.is_not_null() & ~domain.is_in(_NO_DOMAINS)
    identifiers = {
        "user_object_id": pl.coalesce("_account_object_id", pl.lit(from_sid)),
        # Some services write a UPN into the bare name.
        "user_upn": pl.coalesce(pl.when(text.str.contains("@", literal=True)).then(text) for text in (upn, name)),
        "user_sid": pl.when(~entra & sid.str.starts_with("s-1-")).then(sid),
        "user_name": pl.when(qualified & ~name.str.contains("@", literal=True)).then(domain + "\\" + name),
    }
    return frame.with_columns(
        **{column: pl.when(~nobody).then(expression) for column, expression in identifiers.items()}
    ).drop(f"_{name}" for name in ACCOUNT_COLUMNS)


def known_persons(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return PERSONS from the evidence rows that have several identifiers of one account.

    One row per identifier that belongs to a group; `identity` is the preferred identifier of the group.
    """
    rows = with_identifiers(
        evidence.select("tenant_id", **ACCOUNT_COLUMNS)
        .filter(pl.any_horizontal(pl.col(name).is_not_null() for name in ACCOUNT_COLUMNS))
        .unique()
        .collect()
    )
    pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
    ranks: dict[tuple[str, str], tuple[int, str]] = {}
    for tenant_id, *values in rows.select("tenant_id", *IDENTIFIERS).unique().iter_rows():
        nodes = [(tenant_id, value) for value in values if value]
        ranks |= {(tenant_id, value): (rank, value) for rank, value in enumerate(values) if value}
        pairs += pairwise(nodes)
    found = [
        (tenant_id, value, min(ranks[member] for member in group)[1])
        for group in connected_components(pairs)
        if len(group) <= MOST_IDENTIFIERS
        for tenant_id, value in group
    ]
    return pl.DataFrame(found, schema=PERSONS, orient="row")


def _normal(name: str) -> pl.Expr:
    text = pl.col(name).str.normalize("NFKC").str.strip_chars().str.to_lowercase()
    return pl.when(~text.is_in(_NO_VALUES)).then(text)
