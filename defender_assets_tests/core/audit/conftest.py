"""The lake that the tests of the audit share: each change is taken back."""

import pytest

from defender_assets_tests.core.audit.planted import Planted, make_planted


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A sound lake."""
    return make_planted(tmp_path_factory.mktemp("planted"))
