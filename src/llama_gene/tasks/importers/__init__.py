"""Importers of what the field publishes: each knows a layout and gives definitions, and tables where needed."""
