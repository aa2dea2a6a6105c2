"""Serve a tuned model to many clients: an engine that batches, an OpenAI-compatible API, and MCP."""
