"""Tasks that block, for workers that should notice it."""

import time

from procrastinate.contrib.django import app


@app.task(name="tests.block_loop", queue="ops")
async def block_loop():
    time.sleep(600)  # noqa: ASYNC251  on purpose


@app.task(name="tests.block_rechecks", queue="rechecks")
def block_rechecks():
    time.sleep(600)
