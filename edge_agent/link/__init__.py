"""The line between the two processes of a station: messages, the device's end and the agent's end.

Whatever crosses it is one of the core's own effects or events, or a renewal of the lease. What they mean for a relay is
``edge_agent.device``'s business; when to send them is the runtime's.
"""
