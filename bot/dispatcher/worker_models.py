"""Which workers can do a job: by the models that it names and those that they have."""

from __future__ import annotations

from collections import OrderedDict

from bot.dispatcher.protocols import HostAlert
from inference.api.jobs.needs import ModelNeed, as_offer, read_model_needs
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from inference.api.workers import WorkerPool, WorkerStatus
from storage.records import JobRecord

#: Jobs of which is kept what they need.
MAX_KNOWN_JOBS = 4096


class WorkerModels:
    """What the workers can run, as they last said it."""

    def __init__(self, service: WorkerPool, host_alert: HostAlert) -> None:
        self._service = service
        self._host_alert = host_alert
        #: What was looked at last, to see that nothing changed.
        self._statuses_key: tuple[object, ...] = ()
        #: How often something had changed.
        self.changes = 0
        #: What each worker that takes jobs has, and what those had that are starting again.
        self._offers: dict[str, frozenset[ModelNeed]] = {}
        self._absent_offers: list[frozenset[ModelNeed]] = []
        #: Whether one is starting that never said what it has.
        self._has_unknown_worker = False
        #: By whose file a name goes: its hash and the worker.
        self._owners: dict[ModelNeed, tuple[str, str]] = {}
        self._alerted: set[tuple[str, ModelNeed]] = set()
        self._needs: OrderedDict[str, frozenset[ModelNeed]] = OrderedDict()

    def refresh(self) -> None:
        """Take note of what the workers say now."""
        statuses = self._service.worker_statuses
        statuses_key = tuple((s.name, s.ready, s.trouble is None, s.models) for s in statuses)
        if statuses_key == self._statuses_key:
            return
        self._statuses_key = statuses_key
        self.changes += 1
        ready_statuses = [status for status in statuses if status.ready]
        absent = [status for status in statuses if not status.ready]
        names = {status.name for status in ready_statuses}
        self._owners = {need: owner for need, owner in self._owners.items() if owner[1] in names}
        self._alerted = {alert for alert in self._alerted if alert[0] in names}
        self._offers = {status.name: self._usable_offers(status) for status in ready_statuses}
        self._absent_offers = [frozenset(map(as_offer, s.models)) for s in absent if s.models]
        self._has_unknown_worker = any(not s.models and s.trouble is None for s in absent)

    def find_able(self, record: JobRecord) -> frozenset[str]:
        """Name the workers that can do a job now; none where it has to wait for another.

        What no worker ever had is no reason to wait: any of them may say so in its answer, with the
        names that come near, or find a file that came meanwhile.
        """
        self.refresh()
        needs = self._read_needs(record)
        everyone = frozenset(self._offers)
        offers = [*self._offers.values(), *self._absent_offers]
        listed_needs = {need for need in needs if any(need.is_met_by(offer) for offer in offers)}
        if listed_needs != needs and self._has_unknown_worker:
            listed_needs = set(needs)
        able = frozenset(
            name for name, offer in self._offers.items() if _meets(offer, listed_needs)
        )
        if able:
            return able
        may_come = self._has_unknown_worker or any(
            _meets(o, listed_needs) for o in self._absent_offers
        )
        return frozenset() if may_come else everyone

    def missing_notice(self, record: JobRecord) -> Notice | None:
        """Say what a waiting job waits for beside its turn; None where that is nothing."""
        if self.find_able(record) or not self._offers:
            return None
        needs = self._read_needs(record)
        offers = self._offers.values()
        lacking = sorted(n for n in needs if not any(n.is_met_by(offer) for offer in offers))
        names = [need.name or need.kind for need in lacking or sorted(needs)]
        return Notice("queue.waits_for_model", names=", ".join(names))

    def _read_needs(self, record: JobRecord) -> frozenset[ModelNeed]:
        needs = self._needs.get(record.id)
        if needs is None:
            needs = self._needs[record.id] = read_model_needs(record.kind, record.params)
            if len(self._needs) > MAX_KNOWN_JOBS:
                self._needs.popitem(last=False)
        return needs

    def _usable_offers(self, status: WorkerStatus) -> frozenset[ModelNeed]:
        """List what a worker may be asked for: not what it has another file of than others."""
        return frozenset(
            as_offer(model) for model in status.models if self._is_same_file(status.name, model)
        )

    def _is_same_file(self, worker: str, model: ModelInfo) -> bool:
        """Say whether a worker's file is the one that goes by its name; tell the host if not."""
        offer = as_offer(model)
        if not model.digest:
            return True
        digest, owner = self._owners.setdefault(offer, (model.digest, worker))
        if digest == model.digest:
            return True
        if (worker, offer) not in self._alerted:
            self._alerted.add((worker, offer))
            self._host_alert(
                f"{worker} has another file by the name of {model.name} than {owner}: "
                f"{model.digest} instead of {digest}. It gets no jobs of that name. Make the files "
                "the same, or give one another name, and start the worker again."
            )
        return False


def _meets(offer: frozenset[ModelNeed], needs: set[ModelNeed]) -> bool:
    return all(need.is_met_by(offer) for need in needs)
