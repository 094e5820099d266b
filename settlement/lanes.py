"""A worker whose queues have lanes of their own, so that a stalled lane stops no other.

Procrastinate's worker has one number of jobs that may run at once, over all queues. Six calls to the venue that drip
would then stop all coins, the prices and the sweep.

A worker polls: no job sends a notification. It takes at once the jobs that its own jobs have enqueued, so a batch's job
follows its claim without a poll.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from settlement import stopping
from settlement.jobs import RECHECK_QUEUE
from settlement.pace import Pace
from settlement.queue import COUNT_LIVING_WORKERS
from settlement.rescuing import ForgottenJobs
from settlement.venues.deadlines import count_calls
from settlement.watchdog import Watchdog
from trading.jobs import CLAIM_TASK, SETTLEMENT_QUEUE
from wallets.runtime.jobs import tell_of_jobs
from wallets.services.mailing import MAIL_QUEUE

logger = logging.getLogger(__name__)

_SLOW_SECONDS: Final = 1.0
_MOST_LENT: Final = 26
"""Places that the settlement lane gains while calls to the venue are slow: their threads only wait."""
_OF_OPERATIONS: Final = 8
_OF_RECHECKS: Final = 2
_OF_MAIL: Final = 2
_BEAT_SECONDS: Final = 0.5
_COUNT_SECONDS: Final = 10.0


@dataclass(kw_only=True, eq=False)
class Lane:
    """Some queues, and the number of their jobs that may run at once."""

    name: str
    queues: list[str]
    places: int
    pace: Pace
    gains_places: bool = False
    running: int = 0
    ask_at: float = 0.0
    expected: int = 0
    """Jobs that this worker has enqueued, and that it may take before `ask_at`."""

    def is_due(self) -> bool:
        """Say whether the lane has a free place, and its queues should be asked for a job."""
        return self.has_place() and (self.expected > 0 or time.monotonic() >= self.ask_at)

    def has_place(self) -> bool:
        """Say whether another job may run."""
        lent = min(count_calls(longer_than_seconds=_SLOW_SECONDS), _MOST_LENT) if self.gains_places else 0
        return self.running < self.places + lent


class LanesWorker(Worker):
    """A worker with lanes. It tells the watchdog about each lane's progress, and that its event loop goes on."""

    def __init__(self, app: App, *, watchdog: Watchdog, **options: Any) -> None:
        super().__init__(app, **options)
        self._watchdog = watchdog
        self._next_look: asyncio.TimerHandle | None = None
        self._lanes = _make_lanes(app, places=self.concurrency, poll_seconds=self.fetch_job_polling_interval)

    async def run(self) -> None:
        places = sum(lane.places for lane in self._lanes) + _MOST_LENT
        # The default executor has few threads: processors and four.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(places, thread_name_prefix="job"))
        beside = [
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(self._rescue_forgotten_jobs(), name="rescue forgotten jobs"),
            asyncio.create_task(self._count_workers(), name="count workers"),
        ]
        tell_of_jobs(self._make_hearer(asyncio.get_running_loop()))
        self._watchdog.watch(lanes={lane.name: lane.queues for lane in self._lanes})
        try:
            await super().run()  # type: ignore[no-untyped-call]  # of Procrastinate
        finally:
            tell_of_jobs(None)
            for task in beside:
                task.cancel()
            self._watchdog.end()
            stopping.forget()

    def stop(self) -> None:
        """End when the jobs that run have ended; those that only wait end now."""
        stopping.tell()
        super().stop()  # type: ignore[no-untyped-call]  # of Procrastinate

    async def _fetch_and_process_jobs(self) -> None:
        """Take the lanes' jobs in turns, one for each, until no lane has both a job and a free place."""
        self._new_job_event.clear()
        while not self._stop_event.is_set():
            due = [lane for lane in self._lanes if lane.is_due()]
            if not due:
                self._look_again_in_time()
                return
            for lane in due:
                await self._take_one(lane)

    def _look_again_in_time(self) -> None:
        """Wake the worker when the next lane may ask. A lane without a place asks when one of its jobs ends."""
        if self._next_look:
            self._next_look.cancel()
        times = [lane.ask_at for lane in self._lanes if lane.has_place()]
        wait = min(times, default=math.inf) - time.monotonic()
        if wait < self.fetch_job_polling_interval:  # Procrastinate wakes it then
            self._next_look = asyncio.get_running_loop().call_later(wait, self._new_job_event.set)

    def _make_hearer(self, loop: asyncio.AbstractEventLoop) -> Callable[[str, str], object]:
        """Return a function by which the threads of jobs tell the event loop of a job that they have enqueued."""
        return lambda task, queue: loop.call_soon_threadsafe(self._expect_job, task, queue)

    def _expect_job(self, task: str, queue: str) -> None:
        """Take a job at once that this worker has enqueued. Claims wait for the next poll, as those of orders do.

        If another worker takes it first, another job is taken. It is no more than a poll that comes earlier.
        """
        if task == CLAIM_TASK:
            return
        for lane in self._lanes:
            lane.expected += queue in lane.queues
        self._new_job_event.set()

    async def _take_one(self, lane: Lane) -> None:
        assert self.worker_id is not None
        expected, lane.expected = lane.expected, 0
        job = await self.app.job_manager.fetch_job(queues=lane.queues, worker_id=self.worker_id)
        if job is None:  # other workers have taken those that were expected
            lane.ask_at = time.monotonic() + lane.pace.wait_seconds()
            return
        lane.expected += max(expected - 1, 0)
        if job.task_name == CLAIM_TASK and job.scheduled_at is None:
            lane.pace.note_claim(coin_id=job.task_kwargs["coin_id"])
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

    async def _count_workers(self) -> None:
        """Tell each lane's pace how many workers are alive, so that all together poll no more often than one."""
        while True:
            with suppress(ConnectorException):
                row = await self.app.connector.execute_query_one_async(COUNT_LIVING_WORKERS)
                for lane in self._lanes:
                    lane.pace.workers = max(row["alive"], 1)
            await asyncio.sleep(_COUNT_SECONDS)

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
        _make_lane("settlement", SETTLEMENT_QUEUE, places=places, poll_seconds=poll_seconds, gains_places=True),
        _make_lane("operations", *sorted(others), places=_OF_OPERATIONS, poll_seconds=2 * poll_seconds),
        _make_lane("rechecks", RECHECK_QUEUE, places=_OF_RECHECKS, poll_seconds=4 * poll_seconds),
        # A mail server that hangs stops other e-mails only.
        _make_lane("mail", MAIL_QUEUE, places=_OF_MAIL, poll_seconds=4 * poll_seconds),
    ]


def _make_lane(name: str, *queues: str, places: int, poll_seconds: float, gains_places: bool = False) -> Lane:
    pace = Pace(usual_seconds=poll_seconds)
    return Lane(name=name, queues=list(queues), places=places, pace=pace, gains_places=gains_places)
