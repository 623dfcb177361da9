"""The command `check`: facts about export and lake (`export_facts`, `lake_facts`), what follows from them (`advice`),
the report that holds both, and its words for people (`words`). `command` is where they meet.
"""
