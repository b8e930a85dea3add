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
from responder.outbox import Delivery, Outbox, backoff, clean

Result = Literal["delivered", "failed", "given_up"]
POLL_SECONDS, IDLE_SECONDS = 1.0, 10.0
STOP_SECONDS = 8.0  # below the ten that a container has to end

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """It was not delivered; the text says why, in the channel's own words and without secrets."""


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
        deliver: Callable[[Delivery], None],
        give_up_seconds: float,
        counted: Callable[[str, Result, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deliver` returns when the other side has it, else raises DeliveryError.

        `counted` is told the channel, the result, and of how many messages.
        """
        super().__init__(name=f"courier-{channel}", daemon=True)
        self._outbox = outbox
        self._channel = channel
        self._deliver = deliver
        self._give_up_seconds = give_up_seconds
        self._counted = counted
        self._clock = clock
        self._ended = threading.Event()
        self._lanes: dict[str, _Lane] = {}
        self._unrecorded: Delivery | None = None
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
            if delivery := self._outbox.next(self._channel, target, lane.failed):
                lane.tried = self._clock()
                self._try(delivery, lane)
                return True
        return False

    def _try(self, delivery: Delivery, lane: _Lane) -> None:
        try:
            self._deliver(delivery)
        except DeliveryError as error:
            self._failed(delivery, lane, clean(str(error)))
        except Exception as error:  # without it the thread would end
            # Not the error's text, which may hold an address with its secret.
            where = " < ".join(f"{f.filename}:{f.lineno}" for f in reversed(traceback.extract_tb(error.__traceback__)))
            log.error("Delivering by %s failed unexpectedly: %s at %s", self._channel, type(error).__name__, where)
            self._failed(delivery, lane, f"A fault of the responder's own ({type(error).__name__}); its log says more")
        else:
            # Until this is written down, and only until then, a SIGKILL would send it again.
            self._unrecorded = delivery
            if lane.failures:
                log.info("%s to %s works again", self._channel, delivery.target)
            lane.failures = lane.failed = 0
            self._counted(self._channel, "delivered", 1)
            self._record()

    def _record(self) -> None:
        """Nothing else is sent before the last one that was delivered is written down."""
        if self._unrecorded:
            self._outbox.delivered(self._unrecorded)
            self._unrecorded = None

    def _failed(self, delivery: Delivery, lane: _Lane, error: str) -> None:
        lane.failures += 1
        lane.failed = delivery.id
        lane.not_before = self._clock() + backoff(lane.failures)
        if lane.failures == 1:
            log.warning("%s to %s failed, tried again: %s", self._channel, delivery.target, error)
        self._counted(self._channel, "failed", 1)
        if given_up := self._outbox.failed(delivery, error, self._give_up_seconds):
            log.error("%s to %s: gave up %s: %s", self._channel, delivery.target, given_up, error)
            self._counted(self._channel, "given_up", given_up)


def stop(couriers: Sequence[Courier]) -> None:
    """Waits for what is under way, but not for long: what isn't done by then is sent again at the next start."""
    for courier in couriers:
        courier.stop()
    end = time.monotonic() + STOP_SECONDS
    for courier in couriers:
        courier.join(max(0.0, end - time.monotonic()))
