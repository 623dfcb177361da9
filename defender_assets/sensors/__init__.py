"""What Dagster evaluates periodically: new blobs, the daily sweep, notifications. The core decides what to do."""
