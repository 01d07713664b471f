"""The rules of docs/wards-day.md written a second time, second by second and from that page alone.

Nothing here imports the station's own code: what both agree on was understood twice.
"""
