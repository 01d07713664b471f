"""The device process: it alone touches relays and sound, and lets go of both when nobody shows that they are wanted.

It has no network and no journal. Sound is written by the player's own thread, the agent is read and told without
waiting, and one loop that never blocks owns the relays. Without an agent nothing sounds.
"""
