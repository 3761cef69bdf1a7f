"""What schemathesis is told with `SCHEMATHESIS_HOOKS`: lines of JSON are sent as text."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def write_lines(_: schemathesis.SerializationContext, value: Any) -> dict[str, Any]:
    return {"data": str(value).encode("utf-8", "replace")}
