"""Histories that hypothesis makes up, of a service and a warehouse that has to equal it."""
