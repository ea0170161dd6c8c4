"""Storms: runs of the tap while requests fail in random ways."""
