"""Faults to order, and the errors of the service."""
