"""The command `demo`: where it lives (`place`), its days through Dagster (`run`), and what it tells (`command`)."""
