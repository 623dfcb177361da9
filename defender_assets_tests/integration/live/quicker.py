"""The product's definitions for tests of whole installations, with short intervals and pauses.

Sensors tick every 4 seconds, and a failed step is retried after 1 second. The product's own values are tested in
`assets/test_specs`.
"""

from typing import Any
from unittest.mock import patch

import dagster as dg

from defender_assets.assets import runs
from defender_assets.definitions import build_defs
from defender_assets.settings import load_settings

SENSOR_SECONDS = 4
RETRIES = dg.RetryPolicy(max_retries=3, delay=1)
_sensor = dg.sensor


def _quick_sensor(**options: Any) -> Any:
    return _sensor(**{**options, "minimum_interval_seconds": SENSOR_SECONDS})


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions for the settings of the environment."""
    with patch.object(dg, "sensor", _quick_sensor), patch.object(runs, "RETRIES", RETRIES):
        return build_defs(load_settings())
