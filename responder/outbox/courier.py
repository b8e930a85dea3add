"""The threads that empty the outbox, one a channel: a webhook that hangs doesn't hold up an SMS."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from responder.database import StoreError
from responder.outbox.outbox import Delivery, Outbox, backoff, clean

Result = Literal["delivered", "failed", "given_up"]
POLL_SECONDS, IDLE_SECONDS = 1.0, 10.0
STOP_SECONDS = 8.0  # below the ten that a container has to end

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """It was not delivered; the text says why, in the channel's own words and without secrets."""

    def __init__(self, text: str, *, wait: float = 0, attempts: int | None = None) -> None:
        """`wait`: seconds for which the target wants to be left alone; `attempts`: after so many it is given up."""
        super().__init__(text)
        self.wait = wait
        self.attempts = attempts


@dataclass
class _Lane:
    """A target: when it was last tried, what failed then, how often in a row it did, and when it may be tried again."""

    tried: float = 0
    failed: int = 0
    failures: int = 0
    not_before: float = 0


class Courier(threading.Thread):
    """Delivers what waits for one channel, until it is stopped, whatever happens."""

    def __init__(
        self,
        outbox: Outbox,
        channel: str,
        deliver: Callable[[Sequence[Delivery]], None],
        give_up_seconds: float,
        counted: Callable[[str, Result, int], None],
        clock: Callable[[], float] = time.monotonic,
        gather_seconds: float | None = None,
    ) -> None:
        """`deliver` returns when the other side has it, else raises DeliveryError.

        It gets one row at a time; with `gather_seconds` all that waits for a target, so long after the first came.
        `counted` is told the channel, the result, and of how many: of attempts, of rows that were given up.
        """
        super().__init__(name=f"courier-{channel}", daemon=True)
        self._outbox = outbox
        self._channel = channel
        self._deliver = deliver
        self._give_up_seconds = give_up_seconds
        self._counted = counted
        self._clock = clock
        self._gather_seconds = gather_seconds
        self._ended = threading.Event()
        self._lanes: dict[str, _Lane] = {}
        self._unrecorded: Sequence[Delivery] = ()
        self._told = ""

    def run(self) -> None:
        """Delivers until it is stopped."""
        version = 0
        while not self._ended.is_set():
            seconds = POLL_SECONDS
            try:
                if self.step():
                    continue
                if not self._lanes:
                    seconds = IDLE_SECONDS
                self._told = ""
            except StoreError as error:
                if str(error) != self._told:
                    log.warning("The outbox can't be used, tried again every %g s: %s", POLL_SECONDS, error)
                self._told = str(error)
            version = self._outbox.wait(version, seconds)

    def stop(self) -> None:
        """Begins nothing more."""
        self._ended.set()
        self._outbox.wake()

    def step(self) -> bool:
        """Tries one delivery, of the target that was tried longest ago. Returns whether there was one to try."""
        self._record()
        targets = self._outbox.targets(self._channel)
        self._lanes = {target: self._lanes.get(target, _Lane()) for target in targets}
        for target, lane in sorted(self._lanes.items(), key=lambda item: item[1].tried):
            if self._clock() < lane.not_before:
                continue
            if deliveries := self._due(target, lane):
                lane.tried = self._clock()
                self._try(deliveries, lane)
                return True
        return False

    def _due(self, target: str, lane: _Lane) -> Sequence[Delivery]:
        if self._gather_seconds is None:
            return self._outbox.next(self._channel, target, lane.failed)
        return self._outbox.together(self._channel, target, self._gather_seconds)

    def _try(self, deliveries: Sequence[Delivery], lane: _Lane) -> None:
        try:
            self._deliver(deliveries)
        except DeliveryError as error:
            self._failed(deliveries, lane, error)
        except Exception as error:  # without it the thread would end
            # Not the error's text, which may hold an address with its secret.
            where = " < ".join(f"{f.filename}:{f.lineno}" for f in reversed(traceback.extract_tb(error.__traceback__)))
            log.error("Delivering by %s failed unexpectedly: %s at %s", self._channel, type(error).__name__, where)
            own = DeliveryError(f"A fault of the responder's own ({type(error).__name__}); its log says more")
            self._failed(deliveries, lane, own)
        else:
            # Until this is written down, and only until then, a SIGKILL would send it again.
            self._unrecorded = deliveries
            if lane.failures:
                log.info("%s to %s works again", self._channel, deliveries[0].target)
            lane.failures = lane.failed = 0
            self._counted(self._channel, "delivered", 1)
            self._record()

    def _record(self) -> None:
        """Nothing else is sent before the last one that was delivered is written down."""
        if self._unrecorded:
            self._outbox.delivered(self._unrecorded)
            self._unrecorded = ()

    def _failed(self, deliveries: Sequence[Delivery], lane: _Lane, failure: DeliveryError) -> None:
        error, target = clean(str(failure)), deliveries[0].target
        lane.failures += 1
        lane.failed = deliveries[0].id
        lane.not_before = self._clock() + max(backoff(lane.failures), failure.wait)
        if lane.failures == 1:
            log.warning("%s to %s failed, tried again: %s", self._channel, target, error)
        self._counted(self._channel, "failed", 1)
        if given_up := self._outbox.failed(deliveries, error, self._give_up_seconds, failure.attempts):
            log.error("%s to %s: gave up %s: %s", self._channel, target, given_up, error)
            self._counted(self._channel, "given_up", given_up)


def stop(couriers: Sequence[Courier]) -> None:
    """Waits for what is under way, but not for long: what isn't done by then is sent again at the next start."""
    for courier in couriers:
        courier.stop()
    end = time.monotonic() + STOP_SECONDS
    for courier in couriers:
        courier.join(max(0.0, end - time.monotonic()))
