"""`tokenizer audit`: what an extension gives and what it changed, as numbers, as JSON and as a page."""
