"""A whole pipeline on one machine: a Dynamics 365, Meltano, and a PostgreSQL.

`make demo` runs it. The rooms are also what the end-to-end tests stand on:
`postgres` starts a server, `meltano` runs Meltano in a project of its own.
"""
