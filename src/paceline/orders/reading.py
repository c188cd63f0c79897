"""Parent orders from a file, as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from paceline.errors import OrderError
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder


def read_parents(path: Path, instruments: Mapping[str, Instrument]) -> list[ParentOrder]:
    """The parent order in a JSON file, or the list of them.

    `instruments`: by symbol; an order of one of these must lie on its grids. Raises `OrderError`
    for a file that cannot be read, and for the first field that is wrong.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise OrderError(f"order: {path} cannot be read ({error}); give JSON") from None
    orders = []
    for item in raw if isinstance(raw, list) else [raw]:
        symbol = item.get("symbol") if isinstance(item, dict) else None
        instrument = instruments.get(symbol) if isinstance(symbol, str) else None
        orders.append(ParentOrder.from_dict(item, instrument))
    return orders
