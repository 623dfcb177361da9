"""Microsoft Defender's export as Dagster assets: records, device-enriched leads and lead stories.

`defender_assets.definitions` is what Dagster loads and `defender_assets.cli` the command; `core` knows bytes, frames
and tables and never imports dagster. Nothing belongs in this module itself.
"""
