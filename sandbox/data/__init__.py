"""The rows: data model, store, invented rows, writes and transactions."""
