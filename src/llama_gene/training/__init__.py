"""Pre-training and instruction tuning: packed rows, the transformers training loop, resume."""
