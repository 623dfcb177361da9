"""Mutes: a team's rules for detections that are known to be benign. A muted lead is kept, with the rule's name."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl

from defender_assets.core.enums import PRODUCTS
from defender_assets.core.errors import SettingsError
from defender_assets.core.toml_files import check_texts, last_day, read_rules
from defender_assets.core.words import comparable, word_key, word_keys

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

VARIABLE = "DEFENDER_MUTED"
# Polars cannot compile a regular expression of some thousand patterns.
_AT_ONCE = 200


def _each(column: str, *fields: str) -> pl.Expr:
    """Return the texts of these fields of a list of structs, as one list."""
    field = pl.element().struct.field
    return pl.concat_list(pl.col(column).list.eval(field(name)) for name in fields)


def _one(*columns: str) -> pl.Expr:
    return pl.concat_list(*columns)


CONDITIONS: Mapping[str, pl.Expr] = {
    "tenant": _one("tenant_id"),
    "title": _one("title"),
    "severity": _one("severity"),
    "category": _one("category"),
    "product": _one("product"),
    "service_source": _one("service_source"),
    "detection_source": _one("detection_source"),
    "technique": pl.col("attack_techniques"),
    "device": _one("device_id", "original_device_id", "device_name"),
    "device_tag": pl.col("device_tags"),
    "account": _each("accounts", "upn", "name", "sid", "object_id"),
    "file": _each("files", "name", "sha1", "sha256"),
    "address": _each("ip_addresses", "address"),
}
"""Condition of a rule -> the lead's texts, one of which must match."""

_WORDS = frozenset({"severity", "category", "product", "service_source", "detection_source"})
"""Conditions on words of an enumeration, which are compared as `word_key`; all others are compared as `comparable`."""

_ABOUT = ("name", "reason", "until", "owner")
_EXAMPLE = "[[mute]] with name, reason and a condition such as title = 'Network scan*'"


@dataclass(frozen=True)
class Mute:
    """A rule: each condition must match by one of its patterns. `until` is the last day that it mutes.

    `owner` answers for it, and changes nothing.
    """

    name: str
    reason: str
    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    until: date | None = None
    owner: str | None = None

    def holds(self) -> pl.Expr:
        """Return whether the rule mutes a lead, from its `export_date` and the columns of `_normal_texts`."""
        matches = [
            pl.col(name).list.eval(pl.any_horizontal(*_matches(name, patterns))).list.any()
            for name, patterns in self.conditions
        ]
        in_time = pl.lit(value=True) if self.until is None else pl.col("export_date") <= self.until
        return pl.all_horizontal(*matches, in_time).fill_null(value=False)


def with_muted(leads: pl.DataFrame, mutes: Sequence[Mute]) -> pl.DataFrame:
    """Add `muted_by`: name and reason of the first rule that mutes the lead, else null.

    Texts match in any case and spelling that people read as the same (`core.words`).
    """
    rules = [pl.when(mute.holds()).then(pl.lit(f"{mute.name}: {mute.reason}")) for mute in mutes]
    used = {name for mute in mutes for name, _ in mute.conditions}
    judged = _normal_texts(leads, used).with_columns(muted_by=pl.coalesce(*rules, pl.lit(None, dtype=pl.String)))
    return leads.with_columns(judged.get_column("muted_by"))


def _normal_texts(leads: pl.DataFrame, conditions: Iterable[str]) -> pl.DataFrame:
    """Return `export_date` and, for each condition, the lead's texts in their normal form."""
    texts = leads.select("export_date", *(CONDITIONS[name].alias(name) for name in conditions))
    return texts.with_columns(
        pl.col(name).list.eval(_normal_form(name, texts.get_column(name).explode())) for name in conditions
    )


def _normal_form(condition: str, texts: pl.Series) -> pl.Expr:
    if condition in _WORDS:
        return word_keys(pl.element())
    forms = {text: comparable(text) for text in texts.drop_nulls().unique().to_list()}
    return pl.element().replace_strict(forms, default=None, return_dtype=pl.String)


def load_mutes(path: Path) -> tuple[Mute, ...]:
    """Return the rules of a team's file.

    Raises:
        SettingsError: one line that names the file, the rule at fault and what is right.
    """
    return tuple(_rule(*found) for found in read_rules(VARIABLE, path, "mute", _EXAMPLE))


def _rule(where: str, rule: Mapping[str, object]) -> Mute:
    check_texts(where, rule, ("name", "reason", *(["owner"] if "owner" in rule else [])), _EXAMPLE)
    until = last_day(where, rule)
    conditions = tuple((key, _patterns(where, key, value)) for key, value in rule.items() if key not in _ABOUT)
    if not conditions:
        raise SettingsError(f"{where} has no condition, and would mute everything: add one of {', '.join(CONDITIONS)}")
    owner = str(rule["owner"]) if "owner" in rule else None
    return Mute(str(rule["name"]), str(rule["reason"]), conditions, until, owner)


def _patterns(where: str, key: str, value: object) -> tuple[str, ...]:
    if key not in CONDITIONS:
        raise SettingsError(f"{where} has '{key}': expected {', '.join(_ABOUT)} or one of {', '.join(CONDITIONS)}")
    patterns = tuple(value) if isinstance(value, list) else (value,)
    if not patterns or not all(isinstance(pattern, str) and any(_pieces(key, pattern)) for pattern in patterns):
        raise SettingsError(f"{where} has '{key} = {value}': expected text or a list of texts, more than '*'")
    if key == "product":
        # The only closed set of values: a pattern that matches none is a mistake and would mute nothing.
        for pattern in patterns:
            if not any(re.match(_pattern(key, [pattern]), word_key(product)) for product in PRODUCTS):
                raise SettingsError(f"{where} has 'product = {pattern}': expected one of {', '.join(PRODUCTS)}")
    return tuple(str(pattern) for pattern in patterns)


def _matches(condition: str, patterns: Sequence[str]) -> Iterator[pl.Expr]:
    for first in range(0, len(patterns), _AT_ONCE):
        yield pl.element().str.contains(_pattern(condition, patterns[first : first + _AT_ONCE]))


def _pattern(condition: str, patterns: Sequence[str]) -> str:
    """Return one regular expression on normal forms, for patterns in which `*` is any text."""
    alternatives = (".*".join(map(re.escape, _pieces(condition, pattern))) for pattern in patterns)
    return f"(?s)^(?:{'|'.join(alternatives)})$"


def _pieces(condition: str, pattern: str) -> list[str]:
    """Return the normal forms of what is between the `*` of a pattern."""
    pieces = comparable(pattern).split("*")
    return [word_key(piece) for piece in pieces] if condition in _WORDS else pieces


def exclude_muted(leads: Frame) -> Frame:
    """Return the leads that nothing mutes."""
    return leads.filter(pl.col("muted_by").is_null())
