"""What a bench does, told to OpenTelemetry: spans and metrics, no prompt, no answer.

Needs the extra `otel`; only the modules that are imported when it is switched on do.
"""
