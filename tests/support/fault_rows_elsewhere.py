"""Rows of the table of faults that have tests of their own, and where these are."""

from support.fault_table import Elsewhere

TESTS = "faults/test_outages.py::"
STREAMS = "integration/test_streams.py::"
WATCH = "integration/test_health_watch.py::"
INPUTS = ("faults/test_odd_requests.py::test_what_a_caller_writes_reaches_no_provider_by_itself",)

ELSEWHERE = (
    Elsewhere(19, "429 for 50 callers at once", "everybody is answered, the target is left alone from then on",
              "50 of 50 and then 50 of 50 answers of b; at most 50 requests to a, none in the second wave",
              (TESTS + "test_a_storm_of_429_is_answered_by_the_next_target",), bench="429 storm"),
    Elsewhere(20, "a storm of 503 on one of two targets", "at most 10 % extra load, 99 % answered",
              "400 of 400 answered; b is asked once a call; a at most one call in ten",
              (TESTS + "test_a_storm_of_503_adds_little_load",), bench="503 burst"),
    Elsewhere(21, "all targets dead, then back", "errors at once; back within 30 s (scaled down)",
              "every error in under a second; answers within the longest opening; at most one call in ten beyond the "
              "offered load", (TESTS + "test_when_all_are_dead_errors_are_quick_and_the_way_back_is_short",)),
    Elsewhere(0, "a provider that is silent, default settings", "an answer of the next target in under 12 s",
              "b's answer in 10 to 12 s, plain and streamed, each after one request to a",
              (TESTS + "test_a_silent_provider_costs_ten_seconds_by_default",), bench="silent provider"),
    Elsewhere(0, "an outage of 60 s, 15 calls 4 s apart, a free list of models",
              "at most 4 calls reach the dead provider; back on it within 10 s of its recovery",
              "15 of 15 answered; at most 4 requests; back within 10 s (scaled down; in real time: `make soak`)",
              (TESTS + "test_an_outage_of_a_minute",), bench="60 s outage"),
    Elsewhere(0, "the same, no list of models", "at most 4 calls; back within 30 s",
              "15 of 15 answered; at most 4 requests; back within 30 s (scaled down; in real time: `make soak`)",
              (TESTS + "test_an_outage_of_a_minute",), bench="60 s outage"),
    Elsewhere(27, "the caller leaves before content, in mid-stream, with a key, while the answer is read on",
              "nothing is paid; the text until then, or a fixed price; the whole; what the provider bills",
              "as expected; the provider's connection is closed within 250 ms",
              (STREAMS + "test_a_caller_who_leaves_before_content_pays_nothing",
               STREAMS + "test_a_caller_who_leaves_ends_the_call_at_the_provider",
               STREAMS + "test_a_caller_who_leaves_a_metered_answer_pays_for_what_it_got",
               STREAMS + "test_a_stream_with_a_key_runs_to_its_end_when_its_caller_leaves",
               STREAMS + "test_where_a_cancelled_call_is_billed_in_full_it_is_read_to_its_end")),
    Elsewhere(28, "the caller of a plain call leaves", "the call at the provider ends, the record says so",
              "as expected", ("integration/test_connections.py::test_a_caller_who_leaves_ends_the_call_at_the_provider",)),
    Elsewhere(34, "`model` as a path, a fragment, percent signs, CRLF, 10 kB, right-to-left, `__proto__`",
              "looked up as it is, and never part of an address", "400 model_not_allowed; no request to any provider",
              ("faults/test_odd_requests.py::test_a_model_is_looked_up_and_never_part_of_an_address",)),
    Elsewhere(35, "`api_base`, `api_key`, `extra_headers`, `metadata`, `user`, `stream_options` in the body",
              "ignored: the provider gets what the table of fields says", "an answer; none of them reaches the provider",
              INPUTS),
    Elsewhere(36, "line breaks in the idempotency key, the request id or the hop count", "refused, or never repeated",
              "400 or our own request id; no header of the caller reaches the provider",
              ("faults/test_odd_requests.py::test_no_header_of_a_caller_breaks_out",)),
    Elsewhere(65, "a refused key, call after call", "one alarm an outage, the key is left alone, never a 401",
              "five answers of b, one request to a, one alarm; without b an error 500",
              ("faults/test_outages.py::test_a_refused_key_alarms_once_and_is_never_a_401",
               WATCH + "test_a_refused_key_is_an_error_once")),
    Elsewhere(66, "two relevos in a row, or one that is its own provider", "the hop count ends it: 508",
              "as expected", (STREAMS + "test_a_request_that_goes_in_a_circle_is_ended",)),
    Elsewhere(71, "a request is cancelled at any of its awaits", "no hold, connection, task or place is left behind",
              "as expected, at every await, plain and streamed",
              ("faults/test_cancelling.py::test_a_request_that_is_cancelled_at_any_await_leaves_nothing_behind",)),
    Elsewhere(72, "half a megabyte of arguments in pieces", "one frame, to the letter", "as expected",
              (STREAMS + "test_tool_calls_come_whole_and_byte_for_byte",)),
)  # fmt: skip
"""In the order of their numbers, classes of the bench without one among them."""
