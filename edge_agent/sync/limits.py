"""The bounds that both ends of a connection agree on."""

PACKET_BYTES_MAX = 65_536
# A whole MQTT packet: what we ask a broker to send and what it takes. Mosquitto drops a larger message without a word.
ANSWER_BYTES_MAX = 4_096
# Any other packet that a broker sends: nine subscriptions are answered in some 20 bytes, and a reason in words or a
# broker's own properties take a few hundred.
RECEIVE_MAXIMUM = 10
# Deliveries not acknowledged yet; with acknowledgement after the commit this is all the back-pressure there is.
