"""Tests of `dynamics365 configure`."""
