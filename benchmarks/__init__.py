"""Speed: this tap beside the plain SDK and beside its peers, on the same rows."""
