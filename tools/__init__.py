"""Tools that the demo, the benchmarks, the soak test and the tests share."""
