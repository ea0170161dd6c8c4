"""Tests of the data source in Apache Spark, with a Java virtual machine: `make spark-test`."""
