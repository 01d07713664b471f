"""The reference central side: keys, signing, publishing, watching, reporting.

Its commands lie in ``cli``, the kit that holds any station to the protocol in ``conform``. Where to look:

    keys, and whose they are       keyring, key_folder, key_files, pkcs8_scrypt, passphrases, public_files, roles
    a new network                  new_network, trust_making
    trust documents, ceremonies    trust_drafts, trust_file, trust_words, ceremonies, ceremony_clock, apart
    certificates                   pki, server_certificates
    stations that come and go      code_book, enrolment, registrar, enrolment_server, station_certificates, leaving
    from a draft to an order       drafts, drafting, draft_times, draft_words, job_drafts, rule_drafts, command_drafts,
                                   timetable_drafts, audio_facts, composing, given
    shown before it is signed      summary, rule_summary, never_due, foresight
    heard before it is signed      preview, preview_jobs, preview_table
    signed, sent and remembered    signing, serials, dispatch, outbox, noting
    what is in force, by HTTPS     manifests, manifest_shelf, content, https_server, places
    the broker, the line to it     broker, session, headend, headend_lock, inbox
    what stations say, answers     listening, desk, greeting, allowance, boots, ours, fates
    as it is told to people        telling, hush, words, rule_words, when_words
    records and their proof        logbook, proof, verifying, verdict_words, plays, report
    the public timetable           week, week_replies, week_words, week_table, week_page
    files                          files, handed, errors
"""
