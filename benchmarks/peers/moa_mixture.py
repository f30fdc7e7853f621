"""moa as its users have it, with everything on: events, deadline, attempts, limit, timeout, SQLite store.

The answer is that of `mixture.ask`; a streamed one is put together from the deltas that `mixture.watch` shows. The rows
the store still owes are written inside the measured time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker import Contender, Job, serve

from moa import Mixture
from moa.core.events import Delta

CONFIG = """
default = "bench"

[hosts.mock]
base_url = "{base_url}"

[limits]
timeout = 30.0
first_token = 10.0
at_once = 64
attempts = 2
hedges = 0.05

[budget]
day = 1000.0

[store]
keep = true
path = "{folder}/runs.db"

[agents]
{agents}

[mixtures.bench]
layers = {layers}
aggregator = "a"
deadline = 60.0
{rules}
"""


def config_of(job: Job) -> str:
    """The moa.toml of a job: agents p1, p2 … in each layer, and an aggregator `a`."""
    names = [f"p{number}" for number in range(1, job.width + 1)]
    models = [*(job.proposer(number) for number in range(job.width)), job.aggregator]
    agents = "\n".join(
        f'{name} = {{ model = "mock:{model}" }}' for name, model in zip([*names, "a"], models, strict=True)
    )
    layers = [names] * job.layers
    prices = "".join(f'[prices."mock:{model}"]\ninput = 1.0\noutput = 1.0\n' for model in dict.fromkeys(models))
    rules = f'need = {job.width - 1}\ngrace = "learnt"' if job.quorum else ""
    return CONFIG.format(base_url=job.base_url, folder=job.folder, agents=agents, layers=layers, rules=rules) + prices


async def streamed(mixture: Mixture, question: str) -> str:
    """The answer as a watcher sees it grow."""
    pieces: list[str] = []
    async with mixture.watch(question) as events:
        async for event in events:
            if isinstance(event.fact, Delta):
                pieces.append(event.fact.text)
        await events.reply()
    return "".join(pieces)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """One job's mixture, open."""
    file = Path(job.folder) / "moa.toml"
    file.write_text(config_of(job), encoding="utf-8")
    async with Mixture.from_config(config=file) as mixture:
        store = mixture.rig.store
        assert store is not None

        async def ask() -> str:
            if job.streamed:
                return await streamed(mixture, job.question)
            return (await mixture.ask(job.question)).text

        yield Contender(ask, store.flush)


if __name__ == "__main__":
    serve(opened)
