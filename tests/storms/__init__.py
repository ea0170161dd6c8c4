"""Faults by schedules that hypothesis makes up, on whole runs of the tap."""
