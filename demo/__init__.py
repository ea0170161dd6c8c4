"""Demo: a whole pipeline on one machine, with a Dynamics 365, Meltano and a PostgreSQL."""
