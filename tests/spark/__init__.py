"""Tests of the data source for Apache Spark."""
