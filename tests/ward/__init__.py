"""A ward in virtual time: the station's own code, both processes of it, among a world that misbehaves on demand.

Real here: the core, the runtime, the journal's worker, the station clock, upstream, trust, signatures, the device
process's loop with interlock and contacts. Fake, each with a memory of its own: disk, broker, relays, card, network.
"""

from tests.ward.world import World

__all__ = ["World"]
