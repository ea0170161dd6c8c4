"""Business Central: its API and OData web services, with companies, model and rows.

The specification is the behaviour that public documentation, code and recorded responses show.
"""
