"""``./run demo``: one signed broadcast, end to end, on real parts of this machine. Exit 0 only if it was heard."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from demo import sounds, timeline
from demo.acts import narrate, play
from demo.evidence import gather
from demo.screen import Screen
from demo.verdict import checks
from demo.ward import STATION, ZONES, Hardware, Ward

FOLDER = Path("build/demo")
EXIT_NOT_HEARD = 1
EXIT_NOBODY_LISTENED = 3


def main() -> int:
    """Run the demo; 0: heard as ordered, 1: not, 3: on real hardware, which nobody here can hear or watch."""
    args = _parser().parse_args()
    folder: Path = args.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    screen = Screen()
    hardware = _hardware(args.device, args.gpio)
    _introduce(screen, hardware)
    sounds.speak_mp3(sounds.BULLETIN, folder / "bulletin.mp3")
    sounds.speak_mp3("Bản tin thứ hai. Bản tin này sẽ bị ngắt giữa chừng, vì tiến trình bị giết.", folder / "short.mp3")
    sounds.speak_mp3("Tệp này bị sửa trên máy chủ, trạm không được phát.", folder / "altered.mp3")
    sounds.speak_wav(sounds.FLOOD, folder / "flood.wav")
    with Ward(folder, hardware, lambda shown: narrate(screen, shown)) as ward:
        screen.line(
            f"Mosquitto TLS 1.3 cổng {ward.broker.port}, tệp qua HTTPS cổng {ward.content.port}, khóa mới, một trạm",
            "broker, content server, fresh keys, one station",
        )
        story = play(ward, folder, screen)
        _keep_log(ward, folder)
        if hardware.device or hardware.gpio_chip:
            screen.line("thiết bị thật: không ai nghe và nhìn rơ-le thay, nên KHÔNG kết luận", "no witness, no verdict")
            return EXIT_NOBODY_LISTENED
        screen.title("Nghe lại bản thu, so với lệnh", "Listening to the recording, against what was ordered")
        recording = ward.recording()
        evidence = gather(ward, folder, recording)
        for channel, zone in enumerate(ZONES):
            recording.write_wav(folder / f"{zone}.wav", channel)
        (folder / "timeline.svg").write_text(timeline.draw(story, evidence), "utf-8")
        results = list(checks(story, evidence))
    for check in results:
        mark = "ĐẠT " if check.held else "SAI "
        screen.line(f"{mark} {check.vietnamese} [{check.measured}]", check.english)
    kept = ", ".join(f"{zone}.wav" for zone in ZONES)
    screen.line(f"còn lại trong {args.folder}: {kept}, nhat-ky.jsonl, timeline.svg", "left for you to look at")
    held = all(check.held for check in results)
    screen.line("ĐẠT: nghe đúng như lệnh" if held else "KHÔNG ĐẠT", "heard as ordered" if held else "NOT as ordered")
    return 0 if held else EXIT_NOT_HEARD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where to leave what was made ({FOLDER}), emptied")
    parser.add_argument("--device", default="", help="a real ALSA card (aplay -L) instead of a null sink")
    parser.add_argument("--gpio", default="", metavar="CHIP:LINE,LINE", help="real relays, e.g. /dev/gpiochip0:17,27")
    return parser


def _hardware(device: str, gpio: str) -> Hardware:
    chip, _, lines = gpio.partition(":")
    try:
        numbers = tuple(int(line) for line in lines.split(",")) if gpio else ()
    except ValueError:
        sys.exit(f"--gpio {gpio}: CHIP:LINE,LINE is needed, e.g. /dev/gpiochip0:17,27")
    if gpio and len(numbers) != len(ZONES):
        sys.exit(f"--gpio {gpio}: one line for each of the {len(ZONES)} zones is needed")
    return Hardware(device, chip, numbers)


def _introduce(screen: Screen, hardware: Hardware) -> None:
    screen.title(f"Trạm loa IP {STATION}, trình diễn", "An IP loudspeaker station, demonstrated")
    if not hardware.gpio_chip:
        screen.line("rơ-le: driver MÔ PHỎNG (không có GPIO)", "relays are SIMULATED, chosen so in station.toml")
    if not hardware.device:
        screen.line(
            "âm thanh: alsa-lib → PulseAudio riêng, sink rỗng (không có bo âm thanh)",
            "sound goes through alsa-lib into a private null sink, which is recorded",
        )


def _keep_log(ward: Ward, folder: Path) -> None:
    """The playback log as the headend received it, one record a line, in the order of the chain."""
    rows = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in ward.rows()]
    (folder / "nhat-ky.jsonl").write_text("\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
