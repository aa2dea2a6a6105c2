"""Learn gene tokens, put them into a LLaMA vocabulary without moving one of its ids, and measure the result."""
