"""Knowledge of one service each: Dataverse."""
