"""Turn a LLaMA model into a gene model: one vocabulary, one causal model, gene tasks asked in words."""

__version__ = "0.1.0"
