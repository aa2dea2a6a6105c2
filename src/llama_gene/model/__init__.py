"""Models as plain Hugging Face folders: load, extend with rows for new tokens, adapt, merge."""
