"""The command `check`: facts about export and lake, their diagnosis, and the report of both as JSON or as text."""
