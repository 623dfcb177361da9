"""Reading a team's TOML file, with one-line errors. The readers of each file validate its content."""

import tomllib
from pathlib import Path
from typing import Any

from defender_assets.core.errors import SettingsError


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
