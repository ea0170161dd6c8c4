"""Whole runs of the tap, whatever parts they touch."""
