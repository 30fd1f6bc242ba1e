"""What schemathesis cannot know of the service that it asks: `contract.sh` says it by variables."""

import os

import schemathesis

GUARDED = "CONTRACT_GUARDED" in os.environ
WITH_SCHEMA = "CONTRACT_SCHEMA" in os.environ


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether it is one. All that are not are valid requests (ST202) that are refused with a 400
    for what no schema of a request can say."""
    if failure.code != "ST202" or response.status_code != 400:
        return True
    code, message = response.json()["error"].values()
    if case.operation.path.startswith("/access/v1/search/"):
        # A token is for one query of one revision.
        return code not in ("invalid_page_token", "expired_page_token")
    if case.operation.path in ("/v1/is_authorized", "/v1/batch_is_authorized"):
        # Entities may contradict each other, as one that is above itself does.
        if code == "invalid_entities":
            return False
        # To JSON Schema 1.0 is an integer, to Cedar it is none.
        if message.endswith("numbers must be whole and fit into 64 bits"):
            return False
        # Cedar refuses what the schema in force does not declare; the contract is the same for all.
        return not (WITH_SCHEMA and code == "invalid_request")
    return True


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Says which of the ways of the contract's `security` are taken, and what can be accepted."""
    if GUARDED:
        demanded = [{"bearer"}, {"basic"}]
        raw_schema["security"] = [way for way in raw_schema["security"] if way.keys() in demanded]
    if acceptable := os.environ.get("CONTRACT_ACCEPTABLE"):
        body = raw_schema["paths"]["/v1/accept"]["post"]["requestBody"]
        body["content"]["application/json"]["examples"]["refused"] = {"value": {"revision": acceptable}}
