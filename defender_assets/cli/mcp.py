"""`defender-assets mcp`: serve the leads of one tenant to an agent, on standard input and output."""

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.core.invisible import as_pasted


@click.command()
@click.option("--tenant", metavar="ID", help="The tenant that is served, or the beginning of its id.")
@click.option("--allow-triage", is_flag=True, help="Let the agent make statements, in the name of --author.")
@click.option("--author", metavar="NAME", help="Who makes the agent's statements. Required with --allow-triage.")
def mcp(*, tenant: str | None, allow_triage: bool, author: str | None) -> None:
    """Serve leads, stories, entities, quality and source lines to an agent, by the Model Context Protocol.

    The server speaks on standard input and output, so that only the program that starts it can ask. Nothing else than
    the tenant's rows can be reached, and nothing is written, unless --allow-triage adds the tool `triage`.
    """
    if allow_triage and not as_pasted(author or ""):
        raise CliError("--allow-triage needs --author: name who makes the agent's statements")
    if author is not None and not allow_triage:
        raise CliError("--author only matters with --allow-triage: the agent states nothing without it")
    try:
        from defender_assets.server.mcp_server import build_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise CliError("the server needs the package mcp: install defender-assets[mcp]") from None
    from defender_assets.server.tenant_lake import find_tenant
    from defender_assets.server.tools import Tools

    lake = announced_settings().lake()
    build_server(Tools(lake, find_tenant(lake, tenant)), author if allow_triage else None).run("stdio")
