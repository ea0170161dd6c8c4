"""Code that runs in the environments of the peers."""
