"""The bounds that both ends of a connection agree on."""

PACKET_BYTES_MAX = 65_536
# A whole MQTT packet: what we ask a broker to send and what it takes. Mosquitto drops a larger message without a word.
RECEIVE_MAXIMUM = 10
# Deliveries not acknowledged yet; with acknowledgement after the commit this is all the back-pressure there is.
