"""Make the demo's recorded sound, and read sound back as samples, with the host's own tools, not the station's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.audio.speech import WORDS_PER_MINUTE

RATE = 48_000

BULLETIN = (
    "Đài truyền thanh phường Đông Thành xin thông báo. Sáng thứ bảy tuần này, trạm y tế phường tổ chức tiêm vắc xin "
    "cho trẻ em và người cao tuổi. Thời gian từ bảy giờ ba mươi đến mười một giờ. Khi đi, bà con nhớ mang theo căn "
    "cước công dân và thẻ bảo hiểm y tế. Chiều cùng ngày, các tổ dân phố tổng vệ sinh đường làng ngõ xóm. Đề nghị bà "
    "con tham gia đông đủ. Xin cảm ơn bà con đã chú ý lắng nghe."
)
FLOOD = "Lũ quét! Bà con ven suối rời nhà ngay. Đi theo đường lên trường học. Không qua suối."


def speak_mp3(text: str, path: Path) -> None:
    """Speak a text as an MP3, as an officer's computer would hold it."""
    wav = path.with_suffix(".wav")
    speak_wav(text, wav)
    _run("ffmpeg", "-loglevel", "error", "-y", "-i", str(wav), "-ar", "44100", "-b:a", "64k", str(path))


def speak_wav(text: str, path: Path) -> None:
    """Speak a text with the voice and the pace that a station's documents promise."""
    subprocess.run(
        ["espeak-ng", "-v", "vi", "-s", str(WORDS_PER_MINUTE), "-b", "1", "-w", str(path), "--stdin"],
        input=text.encode(),
        check=True,
    )


def samples_of(path: Path) -> NDArray[np.int16]:
    """Any audio file as mono samples at RATE."""
    command = ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.int16)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
