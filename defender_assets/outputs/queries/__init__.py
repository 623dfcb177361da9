"""Read-only queries of the lake for commands, notifications and notebooks. Callers format the results."""
