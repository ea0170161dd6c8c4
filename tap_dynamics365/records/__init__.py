"""Rows: pages of the service in, Singer lines out."""
