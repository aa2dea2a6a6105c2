"""Gene tasks: definitions, readers, leakage-safe splits and Alpaca instructions."""
