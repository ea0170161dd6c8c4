"""Requests in flight for all tables at once, and one writer."""
