"""One adapter per API, the only place that knows an SDK."""
