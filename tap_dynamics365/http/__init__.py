"""Requests: how they get to a host, and all that makes one succeed."""
