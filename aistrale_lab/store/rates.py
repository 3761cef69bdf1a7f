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

TRY = """
INSERT INTO rates (key, due) VALUES (:key, {now} + :cost)
ON CONFLICT (key) DO UPDATE
SET due = CASE WHEN rates.due > {now} THEN rates.due ELSE {now} END + :cost
WHERE rates.due <= {now} + :slack
RETURNING due
"""

AHEAD = "SELECT due - {now} FROM rates WHERE key = :key"

QUEUE = "SELECT pg_advisory_xact_lock(hashtext('aistrale rates'))"
"""Transactions that draw on several limits go one after the other, as in SQLite: in
another order each would hold a row that the other waits for."""


def take(connection: Connection, key: str, *, units: float, per_minute: float) -> float:
    """Take units of a limit; returns the seconds until they may be used.

    A second's worth of units may go at once. Negative units give back what was taken
    and not used.
    """
    interval = 60.0 / per_minute
    tolerance = max(1.0, per_minute / 60.0) * interval
    cost = units * interval
    _queue(connection)
    statement = text(TAKE.format(now=clock_of(connection)))
    ahead = connection.execute(statement, {"key": key, "cost": cost}).scalar_one()
    return max(0.0, float(ahead) - cost + interval - tolerance)


def try_take(
    connection: Connection, key: str, *, units: float, per_minute: float
) -> float:
    """Take units of a limit if they may be used now; else take nothing.

    Returns 0, or the seconds until the same may be tried again. A minute's worth of
    units may go at once, and more than that from a limit that was not used lately.
    """
    cost = units * 60.0 / per_minute
    slack = max(0.0, 60.0 - cost)
    _queue(connection)
    now = clock_of(connection)
    chosen = {"key": key, "cost": cost, "slack": slack}
    if connection.execute(text(TRY.format(now=now)), chosen).first() is not None:
        return 0.0
    ahead = connection.execute(text(AHEAD.format(now=now)), {"key": key}).scalar_one()
    return max(0.001, float(ahead) - slack)


def _queue(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(QUEUE)
