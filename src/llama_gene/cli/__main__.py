"""`python -m llama_gene.cli` is `llama-gene`."""

from llama_gene.cli import main

main()
