"""The report of `check` as data, and its JSON form."""

from dataclasses import asdict, dataclass, field
from typing import Any

from defender_assets.cli.check.export_facts import ExportFacts
from defender_assets.cli.check.lake_facts import LakeFacts

WELL, ATTENTION, WRONG = 0, 1, 2
STATUS = {WELL: "well", ATTENTION: "attention", WRONG: "wrong"}


@dataclass(frozen=True)
class Setting:
    """A setting in effect, without secrets, and where it came from."""

    name: str
    value: str
    origin: str


@dataclass
class Report:
    """Facts and diagnosis. `notes` are worth knowing, `attention` must be fixed, `errors` stop the work."""

    settings: list[Setting]
    export: ExportFacts
    lake: LakeFacts
    notes: list[str] = field(default_factory=list)
    attention: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Return why export or lake cannot be used."""
        return list(dict.fromkeys(error for error in (self.export.error, self.lake.error) if error))

    @property
    def exit_code(self) -> int:
        """Return 2 when export or lake cannot be used, 1 when something needs attention, else 0."""
        return WRONG if self.errors else ATTENTION if self.attention else WELL

    def as_dict(self) -> dict[str, Any]:
        """Return what `--format json` prints."""
        export, lake = asdict(self.export), asdict(self.lake)
        reachable = self.export.error is None and self.export.exists
        lake["behind"] = [
            {
                "day": behind.day,
                "missing_bytes": behind.missing_bytes,
                "blobs": len(behind.missing),
                "stale": [asdict(stale) for stale in behind.stale],
            }
            for behind in self.lake.behind
        ]
        return {
            "status": STATUS[self.exit_code],
            "settings": [asdict(setting) for setting in self.settings],
            "export": {"reachable": reachable, **export, "tenants": self.export.tenants},
            "lake": {"writable": self.lake.error is None, **lake},
            "errors": self.errors,
            "attention": self.attention,
            "notes": self.notes,
        }
