"""Parquet whose names or texts are bytes that are no UTF-8."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_with_bytes(table: pa.Table, path: Path, word: str) -> Path:
    """Write `table` with the last letter of `word`, wherever it stands, as the byte 0xff."""
    pq.write_table(table, path, compression="none", store_schema=False)
    content, plain = path.read_bytes(), word.encode()
    assert plain in content
    path.write_bytes(content.replace(plain, plain[:-1] + b"\xff"))
    return path
