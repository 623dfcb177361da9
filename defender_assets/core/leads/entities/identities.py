"""Who an account is: its identifiers in one spelling, and which identifiers belong to one person.

What an alert says about its accounts is listed elsewhere; here is only what ties them together.
"""

import struct
import uuid
from itertools import pairwise

import polars as pl

from defender_assets.core.identifiers import connected_components
from defender_assets.core.leads.entities.addresses import by_value

IDENTIFIERS = ("user_object_id", "user_upn", "user_sid", "user_name")
"""The columns `with_identifiers` adds, the most telling first: that order is the preference for a person's name."""

PERSONS = pl.Schema({"tenant_id": pl.String, "value": pl.String, "identity": pl.String})

MOST_IDENTIFIERS = 20
"""A person with more identifiers than this is a mistake of joining (a shared name); such a group is left apart."""

_NO_PERSON_DOMAINS = ["nt authority", "nt service", "builtin", "window manager", "font driver host", "iis apppool"]
_NO_DOMAINS = [".", "-", "workgroup", "localhost"]
# S-1-5-21-… (domains, machines), S-1-11-… (Microsoft accounts) and S-1-12-1-… (Entra ID) are people; other SIDs are
# the system's own: S-1-5-18/19/20, services, window managers, groups.
_PERSON_SID = r"^s-1-(?:5-21|11|12-1)-"
_ENTRA_SID = "s-1-12-1-"
_NO_VALUES = ["", "-", "00000000-0000-0000-0000-000000000000", "s-1-0-0"]


def object_id_of_sid(sid: str) -> str | None:
    """Return the Entra object id that an `S-1-12-1-…` SID spells as four little-endian uint32, else None."""
    parts = sid.lower().removeprefix(_ENTRA_SID).split("-")
    try:
        return str(uuid.UUID(bytes_le=struct.pack("<4I", *map(int, parts))))
    except (ValueError, struct.error):
        return None


def with_identifiers(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with IDENTIFIERS in lower case and NFKC, all null for an account of the system or a machine.

    Reads `account_object_id`, `account_upn`, `account_sid`, `account_domain`, `account_name`.
    """
    plain = {name: _plain(name) for name in ("object_id", "upn", "sid", "domain", "name")}
    frame = frame.with_columns(**{f"_{name}": expression for name, expression in plain.items()})
    domain, name, sid, upn = pl.col("_domain"), pl.col("_name"), pl.col("_sid"), pl.col("_upn")
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
        "user_object_id": pl.coalesce("_object_id", pl.lit(from_sid)),
        # Some services write a UPN where the bare name belongs.
        "user_upn": pl.coalesce(pl.when(text.str.contains("@", literal=True)).then(text) for text in (upn, name)),
        "user_sid": pl.when(~entra & sid.str.starts_with("s-1-")).then(sid),
        "user_name": pl.when(qualified & ~name.str.contains("@", literal=True)).then(domain + "\\" + name),
    }
    return frame.with_columns(
        **{column: pl.when(~nobody).then(expression) for column, expression in identifiers.items()}
    ).drop(f"_{name}" for name in plain)


def known_persons(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return which identifiers belong together, read from the evidence rows that carry several of one account.

    PERSONS: one row per identifier that has a companion; `identity` is the person's preferred one.
    """
    accounts = {
        "account_object_id": "AccountObjectId",
        "account_upn": "AccountUpn",
        "account_sid": "AccountSid",
        "account_domain": "AccountDomain",
        "account_name": "AccountName",
    }
    rows = with_identifiers(
        evidence.select("tenant_id", **{ours: pl.col(theirs) for ours, theirs in accounts.items()})
        .filter(pl.any_horizontal(pl.col(name).is_not_null() for name in accounts))
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
        (tenant_id, value, min(ranks[node] for node in group)[1])
        for group in connected_components(pairs)
        if len(group) <= MOST_IDENTIFIERS
        for node in group
        for tenant_id, value in [node]
    ]
    return pl.DataFrame(found, schema=PERSONS, orient="row")


def _plain(name: str) -> pl.Expr:
    text = pl.col(f"account_{name}").str.normalize("NFKC").str.strip_chars().str.to_lowercase()
    return pl.when(~text.is_in(_NO_VALUES)).then(text)
