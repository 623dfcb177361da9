"""What Dagster evaluates periodically: the sensors and the daily sweep."""
