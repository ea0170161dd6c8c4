"""Tests of `dynamics365 export`."""
