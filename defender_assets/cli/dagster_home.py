"""DAGSTER_HOME of a working directory: the settings of Dagster's instance, and a workspace with the code location."""

import shutil
from pathlib import Path

HOME = ".defender/dagster"
WORKSPACE = "workspace.yaml"
_INSTANCE = "dagster.yaml"
_WORKSPACE_YAML = """\
# What `dagster dev -w` loads: the same as workspace.yaml of the repository.
load_from:
  - python_module:
      module_name: defender_assets.definitions
      location_name: defender_assets
"""


def prepare_home(home: Path) -> Path:
    """Return the directory with the package's `dagster.yaml`, with which telemetry is off, and a workspace.yaml.

    A `dagster.yaml` that is there stays, because its limits may be the user's.
    """
    import defender_assets

    home.mkdir(parents=True, exist_ok=True)
    if not (home / _INSTANCE).exists():
        shutil.copy(Path(defender_assets.__file__).with_name(_INSTANCE), home)
    (home / WORKSPACE).write_text(_WORKSPACE_YAML)
    return home
