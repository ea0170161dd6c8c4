"""Tests of the definition for MeltanoHub."""
