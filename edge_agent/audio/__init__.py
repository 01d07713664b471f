"""From signed audio to samples on a card.

Where to look:

    a file or a text made ready    staging, sniff, joined, decoder, loudness
    the voice, and recorded words  speech, stems
    the station's own signals      signals
    the walls of what reads it     confined, child, call_filter, sandbox, decode_service, decode_worker
    where it lies until it plays   clip, pcm_store
    live sources                   live, live_decoder, live_ring, live_shared, line_in, relaying, tally
    read ahead of its moment       timeline, prefetch
    mixed, block by block          desk, voice, turns, mixer, ledger
    out of a card, in time         feeder, stream_clock, bell, alsa, level, card
    several cards as one           cards, merging
    an ear at the horn             ear, hearing, capture
    what the device process needs  port
"""
