"""What a run costs: requests, bytes, instructions and memory."""
