"""Where the demo lives and what it simulates: two small tenants, four days up to now, the same again at each run.

Where the settings name another export or lake, nothing of theirs is touched: see `Place.of`. How it is removed when a
real account is to take its place stands here too; materializing and telling stand in `run` and `command`.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defender_assets.core.errors import DefenderAssetsError, ExportError, SettingsError

if TYPE_CHECKING:
    import dagster as dg

    from defender_assets.settings import Settings
    from defender_assets.simulator import Scenario

DAYS = 4
ROOT = ".defender"
LAKE = "lake"
SCENARIO_FILE = "demo.json"


def left_in(folder: Path) -> Path | None:
    """Return the directory that the demo filled in a working directory, if nothing real is known to lie in its lake.

    Dagster and the commands look there by default, so a real account's alerts may have come into it since.
    """
    from defender_assets.core.raw.ingest import tenants_held
    from defender_assets.core.schemas import TABLES
    from defender_assets.simulator.tenants import tenant_ids

    place = Place.usual(folder)
    try:
        scenario = place.scenario()
        if scenario is None:
            return None
        export = place.settings.export()
        held = {tenant.lower() for table in TABLES for tenant in export.tenants(table.container)}
        held |= tenants_held(place.settings.lake())
    except DefenderAssetsError:
        return None
    return place.root if held <= tenant_ids(scenario) else None


def remove(root: Path) -> None:
    """Remove the demo: its lake, its export, and what Dagster remembers of its runs. What else lies there stays.

    Raises:
        OSError: something cannot be removed; the demo is then still known as one.
    """
    for name in (LAKE, "export", "dagster"):
        with suppress(FileNotFoundError):
            shutil.rmtree(root / name)
    (root / SCENARIO_FILE).unlink()


@dataclass(frozen=True)
class Place:
    """The demo's directories. `apart` says why they are not where Dagster and the commands look, or nothing."""

    root: Path
    settings: "Settings"
    apart: str = ""

    @classmethod
    def of(cls, folder: Path) -> "Place":
        """Return where the demo of a working directory lives.

        With settings that name nothing else, that is where Dagster and the commands look. Otherwise the demo gets a
        place apart, and its runs a Dagster database that ends with it: made-up alerts never come near real ones.
        """
        from defender_assets.settings import load_settings

        usual = cls.usual(folder)
        try:
            asked = load_settings(folder=folder)
        except DefenderAssetsError as error:
            apart = f"The settings are wrong: {error}."
        else:
            same_export = asked.export_account is None and asked.export_dir == usual.settings.export_dir
            if same_export and asked.lake_uri == usual.settings.lake_uri:
                return usual
            apart = "The settings name another export or lake, which was left alone."
        return cls._below(usual.root / "demo", apart)

    @classmethod
    def usual(cls, folder: Path) -> "Place":
        """Return where Dagster and the commands look when no setting says otherwise."""
        return cls._below(folder / ROOT)

    @classmethod
    def _below(cls, root: Path, apart: str = "") -> "Place":
        from defender_assets.settings import Settings

        return cls(root, Settings(export_dir=root / "export", lake_uri=str(root / LAKE)), apart)

    def scenario(self) -> "Scenario | None":
        """Return what was simulated here, if anything was.

        Raises:
            ExportError: it cannot be told.
        """
        import msgspec

        from defender_assets.simulator import Scenario

        remembered = self.root / SCENARIO_FILE
        if not remembered.exists():
            return None
        try:
            return msgspec.json.decode(remembered.read_bytes(), type=Scenario)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._of_another_version() from None

    def _of_another_version(self) -> ExportError:
        return ExportError(
            f"the demo in {self.root} is of another version of this project: move {self.root} away and run again"
        )

    def first_day(self) -> date | None:
        """Return the demo's first day, if Dagster looks at the demo and no setting says which day is its first."""
        from defender_assets.settings import START_DATE, load_settings

        if self.apart or load_settings().origins.get(START_DATE, "default") != "default":
            return None
        with suppress(ExportError):
            scenario = self.scenario()
            return scenario.start if scenario else None
        return None

    def simulated(self) -> tuple["Scenario", dict[str, Any]]:
        """Write the export, unless it is there, and return its scenario and its ground truth.

        Raises:
            ExportError: another export lies in the demo's place.
        """
        import msgspec

        from defender_assets.simulator import Scenario, export_directory
        from defender_assets.simulator.ground_truth import FILE_NAME

        export_dir, remembered = self.settings.export_dir, self.root / SCENARIO_FILE
        scenario = self.scenario()
        if scenario is not None:
            truth = export_dir / FILE_NAME
            if truth.exists():
                return scenario, dict(msgspec.json.decode(truth.read_bytes()))
        elif export_dir.exists() and any(export_dir.iterdir()):
            raise ExportError(f"{export_dir} holds an export that is not the demo's: move it away, or work elsewhere")
        else:
            now = datetime.now(UTC).replace(microsecond=0)
            scenario = Scenario(start=now.date() - timedelta(days=DAYS - 1), days=DAYS, until=now)
            self.root.mkdir(parents=True, exist_ok=True)
            remembered.write_bytes(msgspec.json.format(msgspec.json.encode(scenario)))
        try:
            return scenario, export_directory(scenario, export_dir)
        except ValueError:
            raise self._of_another_version() from None

    def instance(self) -> "dg.DagsterInstance":
        """Return the Dagster instance for the demo's runs: that of DAGSTER_HOME, or one beside the demo's data."""
        import dagster as dg

        if self.apart:
            return dg.DagsterInstance.ephemeral()
        home = Path(os.environ.get("DAGSTER_HOME") or self.root / "dagster")
        if not home.is_absolute():
            raise SettingsError(f"DAGSTER_HOME is '{home}': Dagster wants an absolute path, such as {home.absolute()}")
        home.mkdir(parents=True, exist_ok=True)
        ours = Path.cwd() / "dagster.yaml"
        if not (home / "dagster.yaml").exists() and ours.exists():
            shutil.copy(ours, home)
        return dg.DagsterInstance.from_config(str(home))
