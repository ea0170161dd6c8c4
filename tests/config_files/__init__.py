"""Tests of the files of a project: their texts, their changes, and what Meltano makes of them."""
