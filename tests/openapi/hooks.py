"""What schemathesis must know about this gateway and no document can say."""

import itertools
import re

import schemathesis

PRODUCT_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
NUMBERS = itertools.count()


def opens_a_stream(case):
    """A stream ends when its client leaves, and this one waits for the end. tests/e2e/openapi.test.js looks at its answer."""
    if case.operation.path != "/api/events":
        return False
    products = (case.query or {}).get("products", "")
    ids = products if isinstance(products, list) else [products]
    ids = [part.strip() for text in ids for part in str(text).split(",")]
    ids = {part for part in ids if part}
    return 1 <= len(ids) <= 200 and all(PRODUCT_ID.fullmatch(part) for part in ids)


def spells_an_id_as_float(body):
    """A number is taken digit for digit, but JSON Schema holds 110.0 for a whole number."""
    events = [body] if isinstance(body, dict) else []
    more = events[0].get("events") if events else None
    events += more if isinstance(more, list) else []
    return any(isinstance(event, dict) and isinstance(event.get("productId"), float) for event in events)


@schemathesis.hook
def filter_case(context, case):
    return not opens_a_stream(case) and not spells_an_id_as_float(case.body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request from another address, or the tenth wrong key is told to wait instead of why it is wrong. An idempotency
    key of its own for each request that has one: the same short text would come again with another body."""
    number = next(NUMBERS)
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    key = case.headers.get("Idempotency-Key", "")
    if IDEMPOTENCY_KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key[:240]}-{number}"
