"""The bench: the tests' scenarios and more on a real kernel's lines, sound card, serial line, watchdog, disk, clock."""
