"""Tests of `defender_assets`, laid out as the package is and named after behaviour."""

import os

# Results must not depend on the number of threads: every second process of `make test` has one, as a machine of one
# processor has. Polars reads the variable when it is imported.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:] in {"1", "3"}:
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
