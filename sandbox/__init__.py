"""Sandbox: a small, faithful, local Dynamics 365 to develop, demonstrate and test against.

`python -m sandbox` starts it; `sandbox.client` starts it from a program and changes what it holds.
The rooms, from the top down; each imports only from rooms below its own:

* `app`, `control`: all routes as one application; the control API by which tests change it
* `dataverse`: the Web API of Dataverse, with its organisation and what no other service has
* `finance_operations`: the OData service of Finance & Operations
* `business_central`: APIs and OData web services of Business Central; no service imports another
* `metadata`: `$metadata`, table definitions, metadata changes; CSDL documents as input
* `query`: what the services share of options, filters, sorted reads and bodies; pages of Dataverse
* `data`: data model, CSDL elements, store, invented rows, writes and transactions
* `faults`: faults to order, and errors; `identity`: the sign-in host. Neither imports the other.
* `http`: server, answers, threads, compression, cache

Each room has its part of the control API in a module `control`. `finance_client` and
`central_client` add to `client` what only one service has. The contracts in pyproject.toml
(`[tool.importlinter]`) check the arrows.
"""
