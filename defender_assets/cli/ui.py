"""`defender-assets ui`: Dagster's UI on the export and the lake of the working directory."""

import sys
from pathlib import Path

import click

from defender_assets.cli.dagster_home import HOME, WORKSPACE, prepare_home
from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import announced_settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="The port of its address.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help=f"The directory of Dagster's instance. Default: {HOME}, or that of the demo while the demo is read.",
)
def ui(port: int, home: Path | None) -> None:
    """Serve Dagster's UI on this machine, with the sensors on, until Ctrl-C.

    The instance has the settings of this project: telemetry is off, and a day never runs twice at once. A dagster.yaml
    that is there stays. It is no server for production: see deploy/.
    """
    from defender_assets.cli.dagster_dev import serve
    from defender_assets.settings import DEMO_DAGSTER_HOME

    reads_demo = announced_settings().reads_demo
    home = (home or Path(DEMO_DAGSTER_HOME if reads_demo else HOME)).resolve()
    if sys.platform == "win32":
        prepare_home(home)
        raise CliError(f"not on Windows: set DAGSTER_HOME to {home}, and run dagster dev -w {home / WORKSPACE}")
    raise SystemExit(serve(port, home))
