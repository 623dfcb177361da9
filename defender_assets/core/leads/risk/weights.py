"""The weights of the risk: the packaged ones in `weights.toml`, and what a team's file changes in them."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

from defender_assets.core.attack import category_key
from defender_assets.core.errors import SettingsError
from defender_assets.core.toml_files import read_toml
from defender_assets.core.words import word_key

VARIABLE = "DEFENDER_RISK_WEIGHTS"

Weights = Mapping[str, Mapping[str, int]]
"""Section -> value or step -> points."""

MOST_POINTS = 100
OTHERWISE = "otherwise"

RISING = {
    "severity": ("informational", "low", "medium", "high"),
    "verdict": ("clean", "suspicious", "malicious"),
    "remediation": ("prevented", "remediated", "partiallyremediated", "active"),
    "asset_value": ("low", "normal", "high"),
    "exposure": ("none", "low", "medium", "high"),
    "internet_facing": ("false", "true"),
    "account": ("ordinary", "privileged"),
}
"""Values from the least to the most urgent: points must not fall. A value without a line counts 0."""

RISING_STEPS = ("devices", "evidence")
FALLING_STEPS = ("detection", "rarest_entity")
"""Sections whose keys are numbers: higher ones are more urgent in the former, less urgent in the latter."""

_OPEN_VALUES = ("severity", "verdict", "remediation")


def line_key(section: str, text: str) -> str:
    """Return the normal form in which a section's lines and the lead's values are compared.

    Numbers of techniques keep their dot; other words are compared by their letters and digits.
    """
    if section == "technique":
        return text.strip().lower()
    return category_key(text) if section == "category" else word_key(text)


@cache
def packaged_weights() -> Weights:
    """Return the packaged weights."""
    return _checked("weights.toml", read_toml(VARIABLE, Path(__file__).with_name("weights.toml")), {})


def load_weights(path: Path) -> Weights:
    """Return the packaged weights with a team's changes.

    Raises:
        SettingsError: one line with the file, the wrong line and what is expected.
    """
    return _checked(str(path), read_toml(VARIABLE, path), packaged_weights())


def _checked(name: str, content: Mapping[str, object], below: Weights) -> Weights:
    sections = {section: dict(lines) for section, lines in below.items()}
    for section, lines in content.items():
        if not isinstance(lines, Mapping):
            raise SettingsError(f"{VARIABLE}: {name} has '{section}' outside of a section such as [severity]")
        if below and section not in below:
            raise SettingsError(f"{VARIABLE}: {name} has a section [{section}]: expected one of {', '.join(below)}")
        sections.setdefault(section, {}).update(_lines(name, section, lines, below))
    for section, lines in sections.items():
        for (one, less), (other, more) in pairwise(_rising(section, lines)):
            if less > more:
                raise SettingsError(
                    f"{VARIABLE}: {name} gives [{section}] {one} {less} points and {other} {more}: "
                    f"{other} is the more urgent one, so it must not count for less"
                )
    return sections


def _lines(name: str, section: str, lines: Mapping[str, object], below: Weights) -> Iterator[tuple[str, int]]:
    for key, points in lines.items():
        if isinstance(points, bool) or not isinstance(points, int) or abs(points) > MOST_POINTS:
            raise SettingsError(
                f"{VARIABLE}: {name} has '{key} = {points}' in [{section}]: expected whole points from "
                f"-{MOST_POINTS} to {MOST_POINTS}"
            )
        if section in (*RISING_STEPS, *FALLING_STEPS):
            if not key.isascii() or not key.isdigit():
                raise SettingsError(f"{VARIABLE}: {name} has '{key}' in [{section}]: expected a number such as 20")
            yield str(int(key)), points
            continue
        value = line_key(section, key)
        if not value:
            raise SettingsError(
                f"{VARIABLE}: {name} has '{key}' in [{section}]: expected a word with letters or digits"
            )
        known = {*RISING.get(section, ()), *below.get(section, {})}
        if section in RISING and section not in _OPEN_VALUES and below and value not in known:
            raise SettingsError(
                f"{VARIABLE}: {name} has '{key}' in [{section}]: expected one of {', '.join(sorted(known))}"
            )
        yield value, points


def _rising(section: str, lines: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the lines in the order in which their points must not fall."""
    if section in (*RISING_STEPS, *FALLING_STEPS):
        steps = sorted(lines.items(), key=lambda line: int(line[0]), reverse=section in FALLING_STEPS)
        return [("none", 0), *steps] if section in RISING_STEPS else steps
    return [(value, lines.get(value, 0)) for value in RISING.get(section, ())]
