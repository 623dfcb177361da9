"""Where the demo lives and what it simulates: two small tenants, four days up to now, the same again at each run.

Where the settings name another export or lake, nothing of theirs is touched: see `Place.of`. How it is removed when a
real account is to take its place stands here too; materializing and telling stand in `run` and `command`.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defender_assets.core.failures import DefenderAssetsError, ExportError, SettingsError

if TYPE_CHECKING:
    import dagster as dg

    from defender_assets.settings import Settings
    from defender_assets.simulator import Scenario

DAYS = 4
ROOT = ".defender"
LAKE = "lake"
SCENARIO_FILE = "demo.json"


def left_in(folder: Path) -> Path | None:
    """Return the demo's directory in a working directory, if it lies where Dagster and the commands look."""
    root = folder / ROOT
    return root if (root / SCENARIO_FILE).exists() else None


def remove(root: Path) -> None:
    """Remove the demo: its export, its lake, and what Dagster remembers of its runs. What else lies there stays."""
    for name in ("export", LAKE, "dagster"):
        shutil.rmtree(root / name, ignore_errors=True)
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
        from defender_assets.settings import Settings, load_settings

        root = folder / ROOT
        usual = Settings(export_dir=root / "export", lake_uri=str(root / LAKE))
        try:
            asked = load_settings(folder=folder)
        except DefenderAssetsError as error:
            apart = f"The settings are wrong: {error}."
        else:
            same_export = asked.export_account is None and asked.export_dir == usual.export_dir
            if same_export and asked.lake_uri == usual.lake_uri:
                return cls(root, usual)
            apart = "The settings name another export or lake, which was left alone."
        root /= "demo"
        return cls(root, Settings(export_dir=root / "export", lake_uri=str(root / LAKE)), apart)

    def scenario(self) -> "Scenario | None":
        """Return what was simulated here, if anything was."""
        import msgspec

        from defender_assets.simulator import Scenario

        remembered = self.root / SCENARIO_FILE
        return msgspec.json.decode(remembered.read_bytes(), type=Scenario) if remembered.exists() else None

    def first_day(self) -> date | None:
        """Return the demo's first day, if Dagster looks at the demo and no setting says which day is its first."""
        from defender_assets.settings import DEFAULT_START, load_settings

        scenario = None if self.apart else self.scenario()
        return scenario.start if scenario and load_settings().start_date == DEFAULT_START else None

    def simulated(self) -> tuple["Scenario", dict[str, Any]]:
        """Write the export, unless it is there, and return its scenario and its ground truth.

        Raises:
            ExportError: another export lies in the demo's place.
        """
        import msgspec

        from defender_assets.simulator import Scenario, export_directory
        from defender_assets.simulator.truth import FILE_NAME

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
            raise ExportError(
                f"{export_dir} was simulated by another version of this project: remove {self.root} and run again"
            ) from None

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
