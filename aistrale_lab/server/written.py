"""JSON that is written at once: FastAPI would check again what was checked before."""

import json
from typing import Any

from fastapi import Response


class AsJSON(Response):
    """An answer of what JSON can hold."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """ASCII: half of a character, which a stream may give, stays what it is."""
        return json.dumps(content, separators=(",", ":")).encode()
