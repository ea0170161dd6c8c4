"""Tens of millions of rows through the tap, while everything goes wrong that passes."""
