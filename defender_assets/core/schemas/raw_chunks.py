"""The columns of the three raw tables: one row per chunk of a blob, with the bytes as Microsoft wrote them."""

import polars as pl

from defender_assets.core.schemas.column import INSTANT, Column, column_schema

RAW_COLUMNS = (
    Column("tenant_id", pl.String(), "Entra tenant, lower case"),
    Column("export_date", pl.Date(), "Day of arrival (UTC): the y=/m=/d= of the blob's path. The partition"),
    Column("hour", pl.Int32(), "Hour of arrival: the h= of the blob's path. Partition below the day"),
    Column("blob", pl.String(), "Path of the blob in its container"),
    Column("blob_created_at", INSTANT, "Creation time of the blob: a new time is a new generation"),
    Column("byte_start", pl.Int64(), "Offset in the blob of the chunk's first byte"),
    Column("byte_end", pl.Int64(), "Offset behind the chunk's last byte; the largest one is the cursor"),
    Column("batch", pl.Int64(), "Number of the commit within the day: 1, 2, …"),
    Column("line_part", pl.Int32(), "Number of this part of a line above 16 MiB, from 0; null for whole lines"),
    Column("fetched_at", INSTANT, "When the bytes were read"),
    Column("content", pl.Binary(), "The bytes as Microsoft wrote them: whole lines"),
)
RAW_SCHEMA = column_schema(RAW_COLUMNS)
