"""The rows: data model, store, invented values, writes."""
