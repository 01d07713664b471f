"""What each happening of a script does to the world. What lasts ends by itself; systemd restarts what died.

Whatever is set here is a property of the surroundings: no fault reaches into the station's own state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge_agent.core.events import StopAsked
from edge_agent.core.units import ZoneId
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.identity.token_library import TokenFailed
from tests.rig import HONEST, Order, Relay, Tampering, Tone
from tests.sim import clip_key
from tests.ward.timing import DEVICE_WATCHDOG_MS

if TYPE_CHECKING:
    from tests.soak.life import Life

TAMPERINGS = {
    "": HONEST,
    "forged": Tampering(forged=True),
    "other_ward": Tampering(other_ward=True),
    "quiet": Tampering(wall_time="03:15:00"),
    "under_signed": Tampering(under_signed=True),
}
STAND_IN = Tone("e", 5.0)
Fault = Callable[..., None]
TABLE: dict[str, Fault] = {}


def _fault(happen: Fault) -> Fault:
    TABLE[happen.__name__] = happen
    return happen


# What people send


@_fault
def order(life: Life, *, serial: int, tampering: str = "", in_s: float | None = None, **what: Any) -> None:
    tone, seconds = what.pop("tone", ""), what.pop("seconds", 0.0)
    tones = (Tone(tone, seconds),) if tone else ()
    if source := what.pop("relay", ""):
        what["relay"] = Relay(source, seconds, STAND_IN)
    at_s = None if in_s is None else life.world.mono / 1000 + in_s
    made = Order(at_s=at_s, tones=tones, **what)
    life.ordered(life.rig.publish(made, TAMPERINGS[tampering], serial), made, tampering)


@_fault
def replay(life: Life, *, serial: int) -> None:
    if f"job-{serial}" in life.orders:
        life.rig.replay(f"job-{serial}")


# What the desk and the policy's owner say


@_fault
def lock(life: Life, *, zone: str, for_s: int) -> None:
    """Somebody goes up to a horn."""
    life.hushed(life.rig.command((zone,), what="lock", for_s=for_s), zone, for_s * 1000, everybody=True)


@_fault
def silence(life: Life, *, zone: str, for_s: int) -> None:
    """A dated silence that begins at once."""
    now_s = life.world.mono / 1000
    life.hushed(life.rig.window("silence", now_s, now_s + for_s, (zone,)), zone, for_s * 1000, everybody=False)


@_fault
def stop(life: Life) -> None:
    life.rig.command(what="stop")


@_fault
def all_stop(life: Life, *, for_s: int) -> None:
    life.rig.command(what="all_stop", for_s=for_s)


@_fault
def turn_down(life: Life, *, volume: int) -> None:
    life.rig.command(what="volume", volume=volume)


@_fault
def pause(life: Life, *, for_s: int) -> None:
    life.rig.command(what="pause", for_s=for_s)


@_fault
def resume(life: Life) -> None:
    life.rig.command(what="resume")


@_fault
def next_item(life: Life) -> None:
    life.rig.command(what="next_item")


@_fault
def restart(life: Life) -> None:
    """The agent ends by order, and systemd starts it again."""
    life.rig.command(what="restart")


@_fault
def self_test(life: Life) -> None:
    life.rig.command(what="self_test")


# Processes and power


@_fault
def kill_agent(life: Life) -> None:
    life.world.kill_agent()


@_fault
def kill_io(life: Life) -> None:
    life.world.kill_io()


@_fault
def kill_both(life: Life) -> None:
    life.world.kill_agent()
    life.world.kill_io()


@_fault
def kill_in_step(life: Life, *, effects: int) -> None:
    """At its next steps, after it has done so many of the things that it had decided."""
    if life.world.agent is not None:
        life.world.agent.dies_after = effects


@_fault
def kill_at_commit(life: Life, *, when: str) -> None:
    if life.world.agent is not None:
        life.world.agent.journal.dies_at_commit = when


@_fault
def kill_at_ack(life: Life) -> None:
    """As soon as the broker has been told that it may forget an order."""
    life.world.dies_at_ack = True


@_fault
def meets_sound(life: Life, *, what: str, after_ms: int, **args: Any) -> None:
    """The next time that something begins to sound, this happens a little later."""
    world = life.world
    world.at_next_sound.append(lambda: world.after(after_ms, lambda: TABLE[what](life, **args)))


@_fault
def hang_agent(life: Life) -> None:
    life.world.hang_agent()


@_fault
def hang_io(life: Life) -> None:
    life.world.hang_io()


@_fault
def stop_agent(life: Life) -> None:
    if life.world.agent is not None:
        life.world.agent.take(StopAsked())


@_fault
def key_fails(life: Life, *, for_ms: int) -> None:
    """What the station signs with; a process that has met that says nothing any more."""
    life.sets(life.world.key, "trouble", TokenFailed("the key fails"), None, for_ms)


@_fault
def power_cut(life: Life, *, for_ms: int) -> None:
    life.world.cut_power(for_ms)


# Network, broker, server


@_fault
def network_down(life: Life, *, for_ms: int) -> None:
    life.world.set_network(False)
    life.lasts("network", for_ms, lambda: life.world.set_network(True))


@_fault
def messages_late(life: Life, *, ms: int, for_ms: int) -> None:
    life.sets(life.world.broker, "late_ms", ms, 0, for_ms)


@_fault
def messages_twice(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.broker, "repeats", True, False, for_ms)


@_fault
def messages_reordered(life: Life, *, for_ms: int) -> None:
    life.world.broker.hold_back()
    life.lasts("reordered", for_ms, life.world.broker.let_go_backwards)


@_fault
def messages_lost(life: Life, *, for_ms: int) -> None:
    """Upward they never arrive, downward the broker forgets them."""
    life.sets(life.world.broker, "losing", True, False, for_ms)


@_fault
def broker_down(life: Life, *, for_ms: int) -> None:
    life.world.broker.stop()
    life.lasts("broker", for_ms, life.world.broker.start_if_reachable)


@_fault
def broker_wiped(life: Life) -> None:
    life.world.broker.stop()
    life.world.broker.start_if_reachable(wiped=True)


@_fault
def server_restored(life: Life, *, keeps: float) -> None:
    headend = life.world.headend
    headend.restore(int(len(headend.records) * keeps))


@_fault
def no_welcome(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.headend, "welcoming", False, True, for_ms)


@_fault
def welcome_replayed(life: Life, *, age: int) -> None:
    """An old answer to an old hello, word for word: who took it for the time would live in the past."""
    if life.welcomes:
        topic, payload = life.welcomes[min(age, len(life.welcomes)) * -1]
        life.world.broker.publish(topic, payload)


@_fault
def content_down(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.content, "down", True, False, for_ms)


@_fault
def content_slow(life: Life, *, ms: int, for_ms: int) -> None:
    life.sets(life.world.content, "slow_ms", ms, 0, for_ms)


@_fault
def sources_silent(life: Life, *, for_ms: int) -> None:
    """No live source gives anything."""
    life.world.air.gives(False)
    life.lasts("sources", for_ms, lambda: life.world.air.gives(True))


@_fault
def content_swapped(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.content, "swaps", True, False, for_ms)


# Disk


@_fault
def cache_full(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.content, "full", True, False, for_ms)


@_fault
def disk_full(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.disk, "full", True, False, for_ms)


@_fault
def disk_slow(life: Life, *, ms: int, for_ms: int) -> None:
    life.sets(life.world.disk, "slow_ms", ms, 0, for_ms)


@_fault
def write_fails(life: Life, *, commits: int) -> None:
    life.world.disk.refuse_commits = commits


@_fault
def journal_torn(life: Life) -> None:
    """Whoever opens it next finds it damaged: what it held is put aside, and what was promised by it is void."""
    life.world.disk.tear()
    life.world.kill_agent()
    life.torn()


# Clock


@_fault
def ntp_gone(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.machine, "ntp_answers", False, True, for_ms)


@_fault
def clock_stepped(life: Life, *, by_s: int, for_ms: int) -> None:
    """The system clock is wrong, and the kernel calls it synchronised: NTP lies, or somebody set it by hand."""
    life.sets(life.world.machine, "step_ms", by_s * 1000, 0, for_ms)


# Relays and card


@_fault
def relay_stuck(life: Life, *, zone: str, for_ms: int) -> None:
    """The contact stays where it is; set free, it goes where its coil wants it."""
    relays = life.world.relays
    relays.stuck.add(ZoneId(zone))

    def free() -> None:
        relays.stuck.discard(ZoneId(zone))
        relays.settle(ZoneId(zone))

    life.lasts(f"stuck {zone}", for_ms, free)


@_fault
def relay_dead(life: Life, *, zone: str, for_ms: int) -> None:
    _among(life, life.world.relays.dead, zone, for_ms)


@_fault
def relay_unread(life: Life, *, zone: str, for_ms: int) -> None:
    _among(life, life.world.relays.mute, zone, for_ms)


@_fault
def relay_slow(life: Life, *, ms: int, for_ms: int) -> None:
    life.sets(life.world.relays, "slow_ms", ms, 0, for_ms)


@_fault
def relay_bounces(life: Life, *, zone: str, ms: int) -> None:
    """A contact leaves its place for a while; where none is wired nobody can see it."""
    life.world.relays.bounce(ZoneId(zone))
    life.world.after(ms, lambda: life.world.relays.settle(ZoneId(zone)))


@_fault
def card_dead(life: Life, *, for_ms: int) -> None:
    life.sets(life.world.card_trouble, "dead", True, False, for_ms)


@_fault
def card_mute(life: Life, *, for_ms: int) -> None:
    """Its writer hangs; the watchdog ends the process, and the next one may find it the same."""
    world = life.world
    world.card_trouble.mute = True
    if world.io is not None:
        world.io.wedged()
    life.lasts("mute", for_ms, lambda: _speaks_again(life))
    io = world.io

    def starve() -> None:
        if world.io is io and world.card_trouble.mute:
            world.kill_io()

    world.after(WRITER_MS_MAX + DEVICE_WATCHDOG_MS, starve)


@_fault
def card_late(life: Life, *, ms: int, for_ms: int) -> None:
    life.sets(life.world.card_trouble, "late_ms", ms, 0, for_ms)


@_fault
def audio_rots(life: Life, *, tone: str) -> None:
    """Staged sound that is found altered while it plays; it has to be staged anew."""
    rotten = life.world.card_trouble.rotten
    keys = {clip_key(tone, seconds) for seconds in (3.0, 12.0, 60.0)}
    for key in keys & life.world.cache.keys():
        rotten.add(key)
        life.world.cache.pop(key)


def _speaks_again(life: Life) -> None:
    life.world.card_trouble.mute = False
    if life.world.io is not None:
        life.world.io.card.recover()


def _among(life: Life, troubled: set[ZoneId], zone: str, for_ms: int) -> None:
    troubled.add(ZoneId(zone))
    life.lasts(f"{id(troubled)} {zone}", for_ms, lambda: troubled.discard(ZoneId(zone)))
