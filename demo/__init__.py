"""A whole ward on one machine, over real parts: what ``./run demo`` shows and what the host rig tests."""
