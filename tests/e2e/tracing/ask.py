"""Asks questions as an application would that OpenTelemetry traces: each in a span of the caller's.

Called with the address, how often, and `on` or `off` for whether the caller records its spans; writes
each trace id with the id of the caller's span."""

import http.client
import sys

from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

QUESTION = """{"subject": {"type": "Member", "id": "acme/mona"}, "action": {"name": "data.export"},
  "resource": {"type": "Project", "id": "acme/cats"}}"""

address, times, recording = sys.argv[1], int(sys.argv[2]), sys.argv[3]
provider = TracerProvider(sampler=ALWAYS_ON if recording == "on" else ALWAYS_OFF)
tracer = provider.get_tracer("application")
connection = http.client.HTTPConnection(address, timeout=5)
for _ in range(times):
    with tracer.start_as_current_span("may they?", kind=SpanKind.CLIENT) as span:
        headers = {"content-type": "application/json"}
        inject(headers)
        connection.request("POST", "/access/v1/evaluation", QUESTION, headers)
        answer = connection.getresponse()
        body = answer.read()
        if (answer.status, body) != (200, b'{"decision":true}'):
            sys.exit(f"answered with {answer.status}: {body}")
        context = span.get_span_context()
        print(format_trace_id(context.trace_id), format_span_id(context.span_id))
