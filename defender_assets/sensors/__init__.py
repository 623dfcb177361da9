"""What Dagster evaluates periodically: the sensors and the daily sweep. The core decides what is behind."""
