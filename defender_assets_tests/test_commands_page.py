"""The command reference says what the commands' help texts say."""

import pytest
from click.testing import CliRunner

from defender_assets.cli import main
from defender_assets_tests.support.commands_page import PAGE, WIDTH, help_of, rewritten


def test_the_command_reference_is_as_the_help_texts_say() -> None:
    text = PAGE.read_text()
    assert text == rewritten(text), "`python -m defender_assets_tests.support.commands_page` writes the page again"


@pytest.mark.parametrize("name", main.commands)
def test_the_command_reference_shows_what_the_option_help_prints(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"], prog_name="defender-assets", terminal_width=WIDTH)
    assert shown.output == f"{help_of(name)}\n"


def test_an_introduction_that_is_written_by_hand_stays() -> None:
    page = rewritten("# Commands\n\nBy hand.\n\n## An old section\n\nof a command that was removed\n")
    assert page.startswith("# Commands\n\nBy hand.\n\n## All commands\n")
    assert "An old section" not in page
