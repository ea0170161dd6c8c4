"""Benchmarks: the tap compared with a plain SDK tap and with other extractors."""
