"""Faults to order on any route, and the errors of the services."""
