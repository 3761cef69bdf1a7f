"""The team server: FastAPI over `Lab`; needs the extra "server"."""
