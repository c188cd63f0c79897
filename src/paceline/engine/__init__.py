"""The exchange: one matching engine, whatever brings the events."""
