"""Turn a draft of a whole timetable into its payload: each entry is written like a draft of a broadcast.

An entry without an id gets one from what it says, so that whoever changes one line of the file and signs it again
leaves all the others undisturbed at the stations.
"""

from __future__ import annotations

import hashlib

from edge_agent.headend.drafting import HEADING, Surroundings, begin, copied, heading, validity
from edge_agent.headend.job_drafts import BROADCAST, broadcast
from edge_agent.trust.entries import DEFAULT_NAME, ENTRIES_MAX
from edge_agent.trust.fields import NAME, Fields
from edge_agent.trust.limits import TIMETABLE_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import JsonObject, dump

TIMETABLE_COPIED = ("order_id", "name", "version")
PLACES = ("stations", "areas")
AUDIENCE = (*PLACES, "zones")
ENTRY = ("job_id", "class", "order", "loops", "gap_s", "volume", "preemption", "cap")
ID_HEX = 10  # 40 bits of some hundred entries: two alike are met once in a million timetables


def timetable_payload(fields: Fields, around: Surroundings) -> JsonObject:
    """The payload, complete but for the serial and an id or version that was not given."""
    fields.only(*TIMETABLE_COPIED, *HEADING, "entries")
    start = begin(fields, around.now)
    shared = heading(fields, around, OrderType.TIMETABLE)
    name = fields.text("name", NAME, default=DEFAULT_NAME)
    own: JsonObject = {"name": name, "version": 1, **copied(fields, *TIMETABLE_COPIED)}
    # To leave the entries out would end the whole timetable; whoever wants that writes so.
    own["entries"] = [_entry(entry, shared, name, around) for entry in fields.records("entries", 0, ENTRIES_MAX)]
    return shared | own | validity(fields, start, start + TIMETABLE_VALIDITY_MS_MAX)


def _entry(fields: Fields, shared: JsonObject, name: str, around: Surroundings) -> JsonObject:
    fields.only(*ENTRY, *BROADCAST, *AUDIENCE)
    entry = broadcast(fields, around) | copied(fields, *ENTRY)
    audience = shared["audience"]
    assert isinstance(audience, dict), "the heading has written it"
    if any(one in fields for one in AUDIENCE):
        # Where it names a place it is for that one alone, as a broadcast that is written so.
        others: JsonObject = {one: [] for one in PLACES} if any(one in fields for one in PLACES) else {}
        entry["audience"] = audience | others | copied(fields, *AUDIENCE)
    if "job_id" in entry:
        return entry
    heard_in = entry.get("audience", audience)
    assert isinstance(heard_in, dict), "it is a copy of the heading's"
    # Its zones are what it says, too: in others it is another programme.
    said = hashlib.sha256(dump({**entry, "audience": heard_in["zones"]})).hexdigest()[:ID_HEX]
    return {"job_id": f"{str(shared['issuer'])[:30]}-{name[:20]}-{said}", **entry}
