"""Dataverse: the Web API at /api/data/v9.2/."""
