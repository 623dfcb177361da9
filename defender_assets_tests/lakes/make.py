"""The script that made `first_version`: a small simulated day, and its lake as the first version wrote it.

`python -m defender_assets_tests.lakes.make FOLDER`. Never regenerate the folder in the repository: later versions must
open what the first version wrote. (The paths in the creation logs were replaced by hand.)
"""

import sys
from datetime import UTC, datetime, time
from pathlib import Path

from defender_assets.core.export import DirectoryExport
from defender_assets.simulator import Scenario, simulate, write_directory
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, local_lake

if __name__ == "__main__":
    root = Path(sys.argv[1])
    scenario = Scenario(
        start=DAY,
        days=1,
        devices=4,
        tenants=1,
        alerts_per_day=2,
        campaigns_per_tenant=1,
        heartbeat_minutes=720,
        until=datetime.combine(DAY, time(19), UTC),
    )
    write_directory(simulate(scenario), root / "export")
    run_day(local_lake(root / "lake"), DirectoryExport(root / "export"), DAY)
