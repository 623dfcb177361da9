"""`mcp`: what is refused before the server starts. `server/test_mcp_server` drives the server itself."""

import sys

import pytest

from defender_assets_tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--allow-triage",), "needs --author"),
        (("--allow-triage", "--author", "\u200b"), "needs --author"),
        (("--author", "ana"), "only matters with --allow-triage"),
    ],
)
def test_an_author_and_the_permission_belong_together(run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run("mcp", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_a_missing_package_is_named_with_the_extra(on_small_lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "defender_assets.server.mcp_server", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    monkeypatch.setitem(sys.modules, "mcp", None)

    result = on_small_lake("mcp")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: the server needs the package mcp: install defender-assets[mcp]\n",
    )
