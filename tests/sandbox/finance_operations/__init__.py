"""Tests of `sandbox.finance_operations`."""
