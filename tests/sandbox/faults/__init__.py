"""Tests of `sandbox.faults`."""
