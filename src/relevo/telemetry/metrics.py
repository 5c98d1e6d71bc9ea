"""Metrics for Prometheus. Labels come from the configuration or from fixed lists, never from a caller."""

from collections.abc import Iterable
from typing import Final, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from relevo.core.record import RequestRecord

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
M = TypeVar("M", Counter, Histogram)
_MICRO_PER_CREDIT: Final = 1_000_000
_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Metrics:
    """An `Observer` that counts, and the page that Prometheus reads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._children: dict[tuple[object, tuple[str, ...]], object] = {}
        self._count_requests()
        self._watch_targets()
        self._watch_process()

    def _count_requests(self) -> None:
        self.requests = self._counter("relevo_requests", "Requests of authenticated callers", "task", "code")
        self.refused = self._counter("relevo_refused", "Requests refused before anybody was known", "code")
        self._shed = self._counter("relevo_shed", "Requests turned away to protect those that run", "reason")
        self.charged = self._counter("relevo_credits_charged", "Credits that answers cost their callers", "task")
        self.tokens = self._counter(
            "gen_ai_client_token_usage",
            "Tokens of answers",
            "gen_ai_provider_name",
            "gen_ai_request_model",
            "gen_ai_token_type",
        )
        self.seconds = self._histogram(
            "gen_ai_client_operation_duration_seconds", "Time of a request of an authenticated caller", "task"
        )
        self.first_chunk = self._histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "From the beginning of a try to its first token, reasoning included",
            "gen_ai_provider_name",
            "gen_ai_request_model",
        )

    def _watch_targets(self) -> None:
        self.tries = self._counter("relevo_tries", "Tries of targets", "provider", "model", "code")
        self.alarms = self._counter(
            "relevo_alarms", "Outages of a provider's key: refused, or its account is empty", "provider", "reason"
        )
        self.target_open = self._gauge(
            "relevo_target_open", "1: the target is left alone for a while, because it failed", "provider", "model"
        )

    def _watch_process(self) -> None:
        self.dropped = self._gauge("relevo_record_rows_dropped", "Rows of the record lost since the start")
        self.lines_dropped = self._gauge("relevo_log_lines_dropped", "Log lines lost since the start")
        self.in_flight = self._gauge("relevo_requests_in_flight", "Chat and quote requests that run now")
        self.loop_lag = self._gauge("relevo_event_loop_lag_seconds", "Worst lag of the event loop in the last 10 s")
        self.resident = self._gauge("relevo_memory_resident_bytes", "Resident memory of this process")
        self.memory_limit = self._gauge("relevo_memory_limit_bytes", "Limit of its control group; 0: none")

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self._registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, labels, registry=self._registry)

    def _histogram(self, name: str, says: str, *labels: str) -> Histogram:
        return Histogram(name, says, labels, buckets=_SECONDS, registry=self._registry)

    def request_finished(self, record: RequestRecord, /) -> None:
        """See `Observer`."""
        # A record names its task once it was found in the configuration: a caller's word never becomes a label.
        task = record.task or "none"
        self._child(self.requests, task, record.code or "ok").inc()
        self._child(self.seconds, task).observe(record.ms / 1000)
        if record.charged_micro:
            self._child(self.charged, task).inc(record.charged_micro / _MICRO_PER_CREDIT)
        for attempt in record.attempts:
            target = (attempt.provider, attempt.upstream_model)
            self._child(self.tries, *target, attempt.code or "ok").inc()
            if attempt.first_token_ms is not None:
                self._child(self.first_chunk, *target).observe(attempt.first_token_ms / 1000)
            if attempt.usage:
                self._child(self.tokens, *target, "input").inc(attempt.usage.input_tokens)
                self._child(self.tokens, *target, "output").inc(attempt.usage.output_tokens)

    def show_targets(self, targets: Iterable[tuple[str, str, bool]]) -> None:
        """All targets there are, and whether each is open: provider, model, open."""
        self.target_open.clear()
        for provider, model, is_open in targets:
            self.target_open.labels(provider, model).set(is_open)

    def count_alarm(self, provider: str, reason: str) -> None:
        """One more outage of a provider's key."""
        self.alarms.labels(provider, reason).inc()

    def _child(self, metric: M, *labels: str) -> M:
        """`metric.labels(*labels)`, which checks its labels anew each time: that costs more than the counting."""
        child = self._children.get((metric, labels))
        if child is None:
            child = self._children[metric, labels] = metric.labels(*labels)
        return cast("M", child)

    def refused_before_auth(self, code: str, /) -> None:
        """One more request refused before anybody was known."""
        self.refused.labels(code).inc()

    def shed(self, reason: str, /) -> None:
        """One more request turned away: `draining`, `requests` or `memory`."""
        self._shed.labels(reason).inc()

    def page(self) -> bytes:
        """The metrics in Prometheus's text format."""
        return generate_latest(self._registry)
