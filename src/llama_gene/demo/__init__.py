"""A synthetic organism with known answers, for the offline quick start.

Two made-up species: a bacterium and a eukaryote. Every signal a task asks for was put there by a stated rule, so
what a model can reach at best is known. Nothing here comes from a living thing or a real database.
"""

from pathlib import Path

RECIPE = Path(__file__).with_name("recipe.toml")
