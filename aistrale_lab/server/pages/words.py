"""What addresses may ask for."""

from typing import Annotated

from fastapi import Query

Number = Annotated[int, Query(ge=1, le=1_000_000)]
"""Which page of a list, from 1 on."""

Words = Annotated[str, Query(max_length=1_000)]
"""What somebody looks for or chooses."""
