"""Limits that all processes of a key share: one row a limit, one statement a call.

The generic cell rate algorithm in its virtual scheduling form (ITU-T I.371): the row
holds when the next unit is due. A call adds what its units take, and is told how long
to wait; nobody asks twice, and calls go in the order they asked.
"""

from sqlalchemy import Connection, text

from aistrale_lab.store.leases import clock_of

TAKE = """
INSERT INTO rates (key, due) VALUES (:key, {now} + :cost)
ON CONFLICT (key) DO UPDATE
SET due = CASE WHEN rates.due > {now} THEN rates.due ELSE {now} END + :cost
RETURNING due - {now}
"""


def take(connection: Connection, key: str, *, units: float, per_minute: float) -> float:
    """Take units of a limit; returns the seconds until they may be used.

    A second's worth of units may go at once. Negative units give back what was taken
    and not used.
    """
    interval = 60.0 / per_minute
    tolerance = max(1.0, per_minute / 60.0) * interval
    cost = units * interval
    statement = text(TAKE.format(now=clock_of(connection)))
    ahead = connection.execute(statement, {"key": key, "cost": cost}).scalar_one()
    return max(0.0, float(ahead) - cost + interval - tolerance)
