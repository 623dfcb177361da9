"""What is made of leads: briefs, OCSF events, notifications, queries. Never imports Dagster; builds no leads."""
