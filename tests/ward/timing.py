"""How long things take in the ward, in ms; measured on the demo's parts or taken from the code's own numbers."""

NET_MS = 40  # one way over 4G, on a good day
DISK_MS = 6  # a commit with its fsync on a good SD card
LINK_MS = 1  # between the two processes
STOP_MS = 20  # from the order to stop until the card is silent
BOOT_MS = 0  # the world begins to look when the processes start
RECONNECT_MS = 0  # how long the session waits before it tries again: jitter is the session's own test's business
LINK_RETRY_MS = 500  # link.client.RETRY_S
RESTART_MS = 1_000  # RestartSec of the units
WATCHDOG_MS = 10_000  # WatchdogSec of the agent's unit
DEVICE_WATCHDOG_MS = 3_000  # and of the device process's
WILL_DELAY_MS = 10_000  # sync.client.WILL_DELAY_S
PROGRESS_MS = 800  # audio.voice.PROGRESS_MS
SPEAK_MS = 300  # rendering a sentence
SPEECH_MS_PER_LETTER = 60
