"""Tests of `tap_dynamics365.progress`."""
