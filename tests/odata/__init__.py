"""Tests of odata/."""
