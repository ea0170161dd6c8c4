"""The sandbox's own organisation, which is served when no CSDL document is given."""

from __future__ import annotations

from sandbox.data.model import Model
from sandbox.dataverse.organisation import activities, custom, customers, people

MODEL = Model(
    namespace="Microsoft.Dynamics.CRM",
    alias="mscrm",
    tables=(*customers.TABLES, *people.TABLES, *activities.TABLES, *custom.TABLES),
)
