"""What every worker is told beside `dagster.yaml`; dagster-celery looks for it by this name, on PYTHONPATH."""

import os

broker_url = os.environ["CELERY_BROKER_URL"]
result_backend = os.environ["CELERY_RESULT_BACKEND"]
task_default_queue = "dagster"
broker_connection_retry_on_startup = True

# The runs' own log lines go to Dagster's events; the worker's log is left to the worker.
worker_redirect_stdouts = False
worker_hijack_root_logger = False

# A worker takes what it can begin now. What it had merely reserved would wait with it, or die with it.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True

# Polars and delta-rs keep pools of memory: a child that has run a hundred days begins anew.
worker_max_tasks_per_child = 100
