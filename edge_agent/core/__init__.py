"""The decisions, all pure: no clock, file, socket, logger, thread or randomness in here.

``station.step`` takes in one event, moves everything that can move by now, and says what is to be done. Where to look:

    what comes in, what goes out   station, events, effects, state
    what was signed, as types      job, order, programme
    the words for everything       site, reasons, units, text
    what time it is                clock_trust, wall_time
    an order arrives               intake, freshness, validity, key_hours, spent, conflicts
    it takes another's place       series, offers, timetable
    it waits to be obeyed          waiting, unproven
    what is believed               trust_standing, entrusted
    what a server says holds       heads, manifests
    the ward's rules               policy, sessions, commands, standing, enforcing
    when it is due                 schedule, planning
    its sound is made ready        clips, look_ahead, sound_room, day_bytes, live
    one occurrence of it           occurrence, plays, playing, beginning, sounding, programme_reports
    who hears it, which parts      zones, turns, fitting, framing
    relays                         switching, device_reports, selftest
    a start                        restart
    what is recorded               records, as_run, past
    what people see beforehand     explain, outlook, day_ahead, street_ahead
    what the centre is told        talk
    the process ends               anew
"""
