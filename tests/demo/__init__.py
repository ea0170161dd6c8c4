"""Tests of the demo's rooms, which the end-to-end tests stand on."""
