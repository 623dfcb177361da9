"""A team's TOML files: reading with one-line errors, appending a rule. Readers validate what only their file has."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from defender_assets.core.errors import SettingsError
from defender_assets.core.whole_files import open_whole


def read_toml(variable: str, path: Path) -> dict[str, Any]:
    """Return the content of the file that a setting names.

    Raises:
        SettingsError: the file cannot be read or is not TOML; one line with the variable, the file and the fault.
    """
    try:
        # with or without the byte order mark that Windows editors write
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = (error.strerror or "cannot be opened").lower()
        raise SettingsError(f"{variable} names {path}, which cannot be read ({reason}): expected a TOML file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable} names {path}, which is not UTF-8 text: expected a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{variable} names {path}, which is not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{variable} names {path}, which is not TOML: it is nested too deeply") from None


def read_rules(variable: str, path: Path, name: str, example: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables `[[name]]` of the file that a setting names, each with its variable, number and file.

    Raises:
        SettingsError: one line; the file cannot be read, or holds something else, and `example` shows what is right.
    """
    content = read_toml(variable, path)
    rules = content.pop(name, [])
    if content or not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        stray = f"'{next(iter(content))}'" if content else f"a '{name}' that is no list of tables"
        raise SettingsError(f"{variable}: {path} has {stray}: expected {example}")
    return [(f"{variable}: rule {number} of {path}", rule) for number, rule in enumerate(rules, 1)]


def rule_text(name: str, rule: Mapping[str, object]) -> str:
    """Return a rule as the table `[[name]]` in TOML."""
    import tomlkit  # noqa: PLC0415 (for writing only)

    return tomlkit.dumps({name: [dict(rule)]})


def append_rule(path: Path, name: str, rule: Mapping[str, object]) -> None:
    """Append a rule to the list of tables `[[name]]` of a file. What the file has stays as it is, comments included.

    Raises:
        OSError: when the file cannot be read or written; it is unchanged then.
        SettingsError: when it is not TOML, or `name` is something else in it.
    """
    import tomlkit  # noqa: PLC0415 (for writing only)
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 (as above)
    from tomlkit.items import AoT  # noqa: PLC0415 (as above)

    content = path.read_bytes() if path.exists() else b""
    try:
        document = tomlkit.parse(content.decode("utf-8-sig"))
    except (TOMLKitError, UnicodeDecodeError, RecursionError):
        raise SettingsError(f"{path} is not TOML in UTF-8: correct it first") from None
    rules = document.setdefault(name, tomlkit.aot())
    if not isinstance(rules, AoT):
        raise SettingsError(f"{path} has a '{name}' that is no list of tables: correct it first")
    table = tomlkit.table()
    for key, value in rule.items():
        table.add(key, value)
    rules.append(table)
    with open_whole(path) as file:
        file.write(tomlkit.dumps(document))


def check_texts(where: str, rule: Mapping[str, object], keys: Iterable[str], example: str) -> None:
    """Check that the keys of a rule have texts that are not blank.

    Raises:
        SettingsError: one line with the first key that has none.
    """
    for key in keys:
        if not isinstance(rule.get(key), str) or not str(rule[key]).strip():
            raise SettingsError(f"{where} has no {key}: expected {example}")


def last_day(where: str, rule: Mapping[str, object]) -> date | None:
    """Return `until`, the last day on which a rule counts; None if it has no end.

    Raises:
        SettingsError: one line; it is not a day.
    """
    until = rule.get("until")
    if until is None or (isinstance(until, date) and not isinstance(until, datetime)):
        return until
    raise SettingsError(f"{where} has 'until = {until}': expected a day without quotes, such as 2026-12-31")
