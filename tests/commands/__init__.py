"""Tests of the command `dynamics365`."""
