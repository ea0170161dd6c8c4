"""Soak test: tens of millions of rows through the tap, under all transient faults."""
