"""The service's description of its data: fetched, read, kept."""
