"""``./run demo``: one signed broadcast, end to end, on real parts of this machine. Exit 0 only if it was heard."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from demo import sounds, timeline
from demo.acts import narrate, play
from demo.enrolled import EnrolledWard
from demo.evidence import gather
from demo.screen import Screen
from demo.verdict import checks
from demo.ward import STATION, ZONES, Hardware, Ward
from tests.host.recording import DeafError

FOLDER = Path("build/demo")
MARKS = (".demo", "station.toml")
# What lies in every folder that a demo has made, so that emptying one never hits another.
GPIO_HELP = "e.g. /dev/gpiochip0:17,27, of a board that closes them at HIGH level / bo đóng rơ-le ở mức CAO"
EXIT_NOT_HEARD = 1
EXIT_CANNOT = 2
EXIT_NOBODY_LISTENED = 3


def main() -> int:
    """Run the demo; 0: heard as ordered, 1: not, 2: it cannot be run so, 3: on a real card that nobody listens to."""
    args = _parser().parse_args()
    hardware = _hardware(args.device, args.gpio, args.capture)
    folder = _emptied(args.folder.resolve())
    screen = Screen()
    _introduce(screen, hardware)
    sounds.speak_mp3(sounds.BULLETIN, folder / "bulletin.mp3")
    sounds.speak_mp3("Bản tin thứ hai. Bản tin này sẽ bị ngắt giữa chừng, vì tiến trình bị giết.", folder / "short.mp3")
    sounds.speak_mp3("Tệp này bị sửa trên máy chủ, trạm không được phát.", folder / "altered.mp3")
    sounds.speak_wav(sounds.FLOOD, folder / "flood.wav")
    ward = EnrolledWard(folder, hardware, lambda shown: narrate(screen, shown))
    with ward:
        screen.line(
            f"Mosquitto TLS 1.3 cổng {ward.broker.port}, tệp qua HTTPS cổng {ward.content.port}, khóa mới",
            "broker, content server, fresh keys",
        )
        _show_enrolment(screen, ward)
        story = play(ward, folder, screen)
        _keep_log(ward, folder)
        if not hardware.heard:
            screen.line("bo âm thanh thật, không ai nghe (--capture), nên KHÔNG kết luận", "no witness, no verdict")
            return EXIT_NOBODY_LISTENED
        screen.title("Nghe lại bản thu, so với lệnh", "Listening to the recording, against what was ordered")
        recording = ward.recording()
        evidence = gather(ward, folder, recording)
        for channel, zone in enumerate(ZONES):
            recording.write_wav(folder / f"{zone}.wav", channel)
        (folder / "timeline.svg").write_text(timeline.draw(story, evidence), "utf-8")
        results = list(checks(story, evidence, relays_watched=hardware.watched))
    for check in results:
        mark = "ĐẠT " if check.held else "SAI "
        screen.line(f"{mark} {check.vietnamese} [{check.measured}]", check.english)
    if not hardware.watched:
        screen.line("rơ-le thật: không thấy được tiếp điểm, KHÔNG xét", "real relays: not judged")
    kept = ", ".join(f"{zone}.wav" for zone in ZONES)
    screen.line(f"còn lại trong {args.folder}: {kept}, nhat-ky.jsonl, timeline.svg, day.svg", "left for you to look at")
    held = all(check.held for check in results)
    screen.line("ĐẠT: nghe đúng như lệnh" if held else "KHÔNG ĐẠT", "heard as ordered" if held else "NOT as ordered")
    return 0 if held else EXIT_NOT_HEARD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where to leave what was made ({FOLDER}), emptied")
    parser.add_argument("--device", default="", help="a real ALSA card (aplay -L) instead of a null sink")
    parser.add_argument(
        "--capture", default="", metavar="DEVICE", help="a line-in (arecord -L) that hears what --device plays"
    )
    parser.add_argument("--gpio", default="", metavar="CHIP:LINE,LINE", help=f"real relays: {GPIO_HELP}")
    return parser


def _emptied(folder: Path) -> Path:
    """The folder, empty; what is not an earlier demo's is left alone."""
    if folder.exists() and any(folder.iterdir()) and not any((folder / mark).exists() for mark in MARKS):
        _cannot(f"--folder {folder}: không phải của buổi trình diễn trước, không xóa / holds other things, left alone")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKS[0]).touch()
    return folder


def _hardware(device: str, gpio: str, capture: str) -> Hardware:
    if capture and not device:
        _cannot("--capture: cần có --device / a line-in hears what --device plays, and there is none")
    chip, _, lines = gpio.partition(":")
    try:
        numbers = tuple(int(line) for line in lines.split(",")) if gpio else ()
    except ValueError:
        _cannot(f"--gpio {gpio}: CHIP:LINE,LINE is needed, e.g. /dev/gpiochip0:17,27")
    if gpio and len(numbers) != len(ZONES):
        _cannot(f"--gpio {gpio}: one line for each of the {len(ZONES)} zones is needed")
    return Hardware(device=device, gpio_chip=chip, gpio_lines=numbers, capture=capture)


def _cannot(why: str) -> NoReturn:
    """Say why it cannot be run so, and end."""
    print(why, file=sys.stderr)
    sys.exit(EXIT_CANNOT)


def _introduce(screen: Screen, hardware: Hardware) -> None:
    screen.title(f"Trạm loa IP {STATION}, trình diễn", "An IP loudspeaker station, demonstrated")
    if not hardware.gpio_chip:
        screen.line("rơ-le: driver MÔ PHỎNG (không có GPIO)", "relays are SIMULATED, chosen so in station.toml")
    if hardware.capture:
        screen.line(f"âm thanh: {hardware.device}, thu lại qua {hardware.capture}", "a card, and a line-in")
    if not hardware.device:
        screen.line(
            "âm thanh: alsa-lib → PulseAudio riêng, sink rỗng (không có bo âm thanh)",
            "sound goes through alsa-lib into a private null sink, which is recorded",
        )


def _show_enrolment(screen: Screen, ward: EnrolledWard) -> None:
    screen.title("Đăng ký trạm bằng mã một lần", "A box becomes a station, by a one-time code")
    screen.line("ở trung tâm, edge-agent-headend codes new in ra phiếu", "at the centre, a slip for the technician")
    screen.block(ward.slip)
    screen.line("trên trạm, gõ đúng như trên phiếu: trạm tự tạo khóa của mình", "on the station, which makes its keys")
    screen.block(ward.enrolled)


def _keep_log(ward: Ward, folder: Path) -> None:
    """The playback log as the headend received it, one record a line, in the order of the chain."""
    rows = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in ward.rows()]
    (folder / "nhat-ky.jsonl").write_text("\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DeafError as deaf:
        _cannot(f"không thu được âm thanh / nothing to listen with: {deaf}")
