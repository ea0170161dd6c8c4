"""Finance & Operations: the OData service of Finance, Supply Chain Management and Commerce."""
