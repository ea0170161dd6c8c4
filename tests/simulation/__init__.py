"""Simulation: random histories of a service, after which a warehouse has to equal the service."""
