"""Search a user's own sequences (by alignment) and texts (by words and vectors); no model, no torch."""
