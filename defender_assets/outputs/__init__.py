"""Products of the leads: briefs, OCSF events, notifications, queries. Never imports Dagster; builds no leads."""
