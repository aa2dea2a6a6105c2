"""Talk with a tuned model in the terminal."""
