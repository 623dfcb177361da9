"""The command `demo`: the simulated export (`scenario`), its days through Dagster (`run`), the output (`command`)."""
