"""Singer tap for Microsoft Dynamics 365, built with the Meltano SDK."""

__version__ = "0.1.0"
