"""Many clients of a team server at once, who remember each answer."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

AGAIN = 0.05
"""Seconds before a client asks again what was answered with 503."""


@dataclass
class Heard:
    """What a crowd was told: texts by question, ids, statuses, seconds of each call."""

    texts: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Crowd:
    """So many clients who share so many questions, each asked until it is answered."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        clients: int,
        calls: int,
        model: str = "embedded/echo",
    ) -> None:
        self.heard = Heard()
        self._url = f"{base_url}/v1/chat/completions"
        self._head = {"authorization": f"Bearer {token}"}
        self._model = model
        self.clients = clients
        self.calls = calls
        self._numbers = count()

    async def ask_all(self) -> Heard:
        """Ask every question."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector, headers=self._head
        ) as session:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.clients):
                    group.create_task(self._ask_some(session))
        return self.heard

    async def until(self, condition: Any) -> None:
        """Wait until the condition, a function of what was heard, is true."""
        while not condition(self.heard):
            await asyncio.sleep(0.01)

    async def _ask_some(self, session: aiohttp.ClientSession) -> None:
        while (number := next(self._numbers)) < self.calls:
            question = f"question {number}"
            while not await self._ask(session, question):
                await asyncio.sleep(AGAIN)

    async def _ask(self, session: aiohttp.ClientSession, question: str) -> bool:
        turns = [{"role": "user", "content": question}]
        body = {"model": self._model, "messages": turns}
        began = time.perf_counter()
        async with session.post(self._url, json=body) as answer:
            told = await answer.json()
        self.heard.statuses.append(answer.status)
        if answer.status != 200:
            return False
        self.heard.seconds.append(time.perf_counter() - began)
        self.heard.texts[question] = told["choices"][0]["message"]["content"]
        self.heard.ids.add(told["id"].removeprefix("chatcmpl-"))
        return True
