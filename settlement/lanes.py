"""A worker whose queues have lanes of their own, so that a stalled lane stops no other.

Procrastinate's worker has one number of jobs that may run at once, over all queues. Six calls to the venue that drip
would then stop all coins, the prices and the sweep.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from procrastinate import App
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from settlement.jobs import RECHECK_QUEUE
from settlement.rescuing import ForgottenJobs
from settlement.venues.deadlines import count_calls
from settlement.watchdog import Watchdog
from trading.jobs import SETTLEMENT_QUEUE
from wallets.services.mailing import MAIL_QUEUE

logger = logging.getLogger(__name__)

_SLOW_SECONDS: Final = 1.0
_MOST_LENT: Final = 26
"""Places that the settlement lane gains while calls to the venue are slow: their threads only wait."""
_OF_OPERATIONS: Final = 8
_OF_RECHECKS: Final = 2
_OF_MAIL: Final = 2
_BEAT_SECONDS: Final = 0.5


@dataclass(kw_only=True, eq=False)
class Lane:
    """Some queues, and the number of their jobs that may run at once."""

    name: str
    queues: list[str]
    places: int
    poll_seconds: float
    gains_places: bool = False
    running: int = 0
    ask_at: float = 0.0

    def is_due(self) -> bool:
        """Say whether the lane has a free place, and its queues should be asked for a job."""
        lent = min(count_calls(longer_than_seconds=_SLOW_SECONDS), _MOST_LENT) if self.gains_places else 0
        return self.running < self.places + lent and time.monotonic() >= self.ask_at


class LanesWorker(Worker):
    """A worker with lanes. It tells the watchdog about each lane's progress, and that its event loop goes on."""

    def __init__(self, app: App, *, watchdog: Watchdog, **options: Any) -> None:
        super().__init__(app, **options)
        self._watchdog = watchdog
        self._lanes = _make_lanes(app, places=self.concurrency, poll_seconds=self.fetch_job_polling_interval)

    async def run(self) -> None:
        places = sum(lane.places for lane in self._lanes) + _MOST_LENT
        # The default executor has few threads: processors and four.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(places, thread_name_prefix="job"))
        beside = [
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(self._rescue_forgotten_jobs(), name="rescue forgotten jobs"),
        ]
        self._watchdog.watch(lanes={lane.name: lane.queues for lane in self._lanes})
        try:
            await super().run()  # type: ignore[no-untyped-call]  # of Procrastinate
        finally:
            for task in beside:
                task.cancel()
            self._watchdog.end()

    async def _fetch_and_process_jobs(self) -> None:
        """Take the lanes' jobs in turns, one for each, until no lane has both a job and a free place."""
        self._new_job_event.clear()
        while not self._stop_event.is_set():
            due = [lane for lane in self._lanes if lane.is_due()]
            if not due:
                return
            for lane in due:
                await self._take_one(lane)

    async def _take_one(self, lane: Lane) -> None:
        assert self.worker_id is not None
        job = await self.app.job_manager.fetch_job(queues=lane.queues, worker_id=self.worker_id)
        if job is None:
            lane.ask_at = time.monotonic() + lane.poll_seconds
            return
        self._watchdog.note_progress(lane.name)
        context = self._make_context(job)
        lane.running += 1
        running = asyncio.create_task(self._process_job(context), name=f"process job {job.task_name}[{job.id}]")
        self._running_jobs[running] = context
        running.add_done_callback(self._make_callback(lane))

    def _make_callback(self, lane: Lane) -> Callable[["asyncio.Task[None]"], None]:
        def end(task: "asyncio.Task[None]") -> None:
            del self._running_jobs[task]
            lane.running -= 1
            self._watchdog.note_progress(lane.name)
            self._new_job_event.set()  # the place is free: ask for the next job now, not at the next poll

        return end

    def _make_context(self, job: Job) -> JobContext:
        """Make the context as Procrastinate's worker does."""
        return JobContext(
            app=self.app,
            worker_name=self.worker_name,
            worker_queues=self.queues,
            additional_context=dict(self.additional_context or {}),
            job=job,
            abort_reason=lambda: self._job_ids_to_abort.get(job.id) if job.id else None,
            start_timestamp=time.time(),  # noqa: TID251  Procrastinate's log subtracts it from the host's time
        )

    async def _beat(self) -> None:
        while True:
            self._watchdog.beat()
            await asyncio.sleep(_BEAT_SECONDS)

    async def _rescue_forgotten_jobs(self) -> None:
        forgotten = ForgottenJobs(jobs=self.app.job_manager)
        while True:
            await asyncio.sleep(settings.JOBS.stalled_worker_seconds / 2)
            if self.worker_id is None:
                continue
            try:
                await forgotten.rescue(worker_id=self.worker_id, list_running=self._list_running)
            except Exception:
                logger.exception("forgotten jobs could not be looked for")  # the next look is a new attempt

    def _list_running(self) -> set[int | None]:
        return {context.job.id for context in self._running_jobs.values()}


def _make_lanes(app: App, *, places: int, poll_seconds: float) -> list[Lane]:
    """Return a lane for settlement, one for rechecks, one for e-mails, and one for the queues of all other tasks."""
    others = {task.queue for task in app.tasks.values()} - {SETTLEMENT_QUEUE, RECHECK_QUEUE, MAIL_QUEUE}
    return [
        Lane(name="settlement", queues=[SETTLEMENT_QUEUE], places=places, poll_seconds=poll_seconds, gains_places=True),
        Lane(name="operations", queues=sorted(others), places=_OF_OPERATIONS, poll_seconds=2 * poll_seconds),
        Lane(name="rechecks", queues=[RECHECK_QUEUE], places=_OF_RECHECKS, poll_seconds=4 * poll_seconds),
        # A mail server that hangs stops other e-mails only.
        Lane(name="mail", queues=[MAIL_QUEUE], places=_OF_MAIL, poll_seconds=4 * poll_seconds),
    ]
