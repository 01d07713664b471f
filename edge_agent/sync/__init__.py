"""Talking to the central side: wire formats, broker session, downloads.

Where to look:

    what is said, and where        reports, messages, topics
    the session with the broker    mqtt, connection, client, bare_client, guard, limits
    what is fetched by HTTPS       https, plain_answers, download, right_of_way, home, live_stream
    a connection, and its costs    dial, resolving, ask_name, closing
    whom to believe, by which key  tls, tls_stream, tls_trouble, turns
    what the runtime needs         port
"""
