"""The resources of runs and sensors: the export and the lake.

They are plain objects because the UI shows the configuration of configurable resources, and these contain keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import DefenderAssetsError, SettingsError, chain_shows_secret, is_panic, redact
from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake

ExportResource = dg.ResourceParam[Export]
LakeResource = dg.ResourceParam[Lake]


@contextmanager
def user_facing_errors(lake: Lake) -> Iterator[None]:
    """Turn errors of the export and the lake into one-line failures without secrets.

    Others are bugs and keep their traceback, unless an error in their chain has a secret.
    """
    try:
        yield
    except DefenderAssetsError as error:
        raise dg.Failure(str(error), allow_retries=not isinstance(error, SettingsError)) from None
    except BaseException as error:
        secrets = lake.secrets
        of_a_library = isinstance(error, DeltaError | PolarsError | OSError) or is_panic(error)
        if not of_a_library and not (isinstance(error, Exception) and chain_shows_secret(error, secrets)):
            raise
        raise dg.Failure(f"{type(error).__name__}: {redact(str(error), secrets)[:1000]}") from None
