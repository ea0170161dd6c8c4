"""Whole pipelines: the tap, Meltano and real targets."""
