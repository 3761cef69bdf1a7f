"""The models in the box and their loopback OpenAI-compatible server."""
