"""Tests of `defender_assets`, laid out as the package is and named after behaviour."""

import os

# The processes of `make test` fill all processors, so only the first one lets Polars use them all. The others run it on
# one thread, as a machine with one processor does. Polars reads the variable when it is imported.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
