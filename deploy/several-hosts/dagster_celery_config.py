"""What every worker is told beside `dagster.yaml`; dagster-celery looks for it by this name, on PYTHONPATH."""

import os

broker_url = os.environ["CELERY_BROKER_URL"]
result_backend = os.environ["CELERY_RESULT_BACKEND"]
task_default_queue = "dagster"
broker_connection_retry_on_startup = True

# The log lines of runs go to Dagster's events; the worker's log contains only its own lines.
worker_redirect_stdouts = False
worker_hijack_root_logger = False

# A worker takes only runs that it can start now. A reserved run would wait for it, or be lost with it.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True

# Polars and delta-rs keep memory pools: replace a child process after a hundred days.
worker_max_tasks_per_child = 100
