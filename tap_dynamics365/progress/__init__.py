"""How far a run is, shown to people."""
