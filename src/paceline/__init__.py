"""paceline works parent orders: it cuts one large order into child orders that cost little."""

__version__ = "0.1.0"
