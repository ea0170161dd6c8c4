"""Progress of a run, in the log or as a progress bar."""
