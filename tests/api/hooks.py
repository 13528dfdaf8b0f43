"""What schemathesis is told beyond the API's description: names and numbers that exist, and what only a server can know.

The description says what form a request has. Whether a number exists or a cursor came from this list, it cannot say:
refusals for these reasons, and no others, are no failures. Each must name its field.
"""

import re

import schemathesis
from hypothesis import strategies as st

# Mobile numbers of several countries, whose last digits mean nothing special to the sandbox.
schemathesis.openapi.format("phone", st.sampled_from(["+14155550123", "+14155550150", "+447400123456", "+4915112345678", "(415) 555-0123"]))

# The field, and the reason why a request of the right form is refused all the same.
KNOWN_ONLY_HERE = [
    ("cursor", "is not a cursor of this list"),
    ("to|address|phone", "is not a phone number: .*"),
    ("address", "was erased at .*"),
    ("sender", "is no configured sender of the account"),
    # Bounds that move with the clock, or depend on the unit.
    ("time", "is more than 13 months ago, so a repeat could not be told from a first"),
    ("occurred_at", "is in the future"),
    ("ttl", r"is not between 1s and 14d|'\d+[a-z]+' is not a length of time: .*"),
]

# Limits count bytes, and a description counts characters: what is refused for its length when it is not ASCII.
TOO_LONG = r"is longer than \d+ bytes|is empty or longer than 2,000 bytes|is empty, longer than 256 bytes, or .*|are too many or too long|is not a language tag"


def more_bytes_than_characters(value):
    """Whether a text in a request is longer in bytes than the shortest limit, and not in characters alone."""
    if isinstance(value, dict):
        return any(map(more_bytes_than_characters, [*value.keys(), *value.values()]))
    if isinstance(value, list):
        return any(map(more_bytes_than_characters, value))
    return isinstance(value, str) and len(value) < len(value.encode(errors="surrogatepass")) > 35


def known_only_here(problem, case):
    """Whether every reason of a refusal is one that no description can give."""
    if problem["code"] == "idempotency_key_reused":
        return True
    reasons = list(KNOWN_ONLY_HERE)
    if more_bytes_than_characters([case.path_parameters, case.body]):
        reasons.append((".*", TOO_LONG))
    errors = [(error["field"], error["problem"]) for error in problem.get("errors", [])]
    fits = [any(re.fullmatch(at, field) and re.fullmatch(reason, text, re.DOTALL) for at, reason in reasons) for field, text in errors]
    return bool(fits) and all(fits)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives requests of the right form what they need to be taken: a program that is configured, and one thing to say."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if isinstance(case.body.get("program"), str):
        case.body["program"] = "acme"
    if case.operation.label == "POST /v1/messages":
        if isinstance(case.body.get("body"), str):
            case.body = {name: value for name, value in case.body.items() if name not in ("template", "data")}
        else:
            case.body.update(template="order_confirmed", data={"profile": {"attributes": {"first_name": "Ada"}}, "event": {"data": {"order": "#1042"}}})


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps every failure but two, each as narrow as can be."""
    kind = type(failure).__name__
    if kind == "RejectedPositiveData" and response.status_code == 422:
        return not known_only_here(response.json(), case)
    # A batch is taken whatever is in it: each of its events is accepted or refused alone, and the answer says which.
    if kind == "AcceptedNegativeData" and case.media_type == "application/cloudevents-batch+json" and response.status_code == 200:
        return response.json()["refused"] == 0
    return True
