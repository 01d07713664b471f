"""What ``sign --help`` shows: one draft of each kind, short enough to be copied. docs/operations.md has the same."""

from __future__ import annotations

JOB = """\
Lệnh phát / a broadcast:
  class = "normal"                    # normal | priority | emergency (khẩn cấp)
  areas = ["vn/ha-noi/dong-thanh"]    # và / hoặc stations = ["tram-01"]
  zones = ["c1"]                      # bỏ trống: mọi cụm / empty: every zone
  volume = 70
  [when]                              # bỏ trống: phát ngay / absent: now
  first_day = 2026-10-01
  last_day = 2026-12-31
  weekdays = [1, 2, 3, 4, 5]          # 1 = thứ Hai / Monday
  times = ["05:30", "17:00"]          # hoặc / or: at = 2026-10-06T05:30:00+07:00
  [[items]]
  title = "Bản tin phường"
  approver = "nguoi-duyet-07"
  file = "ban-tin.mp3"                # không thu âm được thì / last resort: text = "…" (máy đọc)
Tiếp âm một nguồn trực tiếp / relay a live source (không dùng cho tin khẩn cấp / never for emergencies):
  [[items]]
  title = "Thời sự VOV1"
  live = ["https://tiep-am.example/vov1.mp3"]
  duration_s = 1800
  stand_in = { title = "Nhạc nền", file = "thay-the.mp3" }   # phát thay thế khi mất tín hiệu
Khẩn cấp cần thêm / an emergency also needs: event = "lu-quet"; nếu lặp lại / if repeated:
  [when] every_minutes = 10, until = 2026-10-06T08:00:00+07:00
Cũng có / also: late_limit_s, zones_late_limit_s, preemption = "rejoin | resume | restart | drop", series + version,
  all_clear = true (báo yên), rehearsal = true (diễn tập), corrects = "…" (đính chính)
"""
EXCEPTION = """\
Trường hợp đặc biệt, tìm trẻ lạc / an exception, a lost child (--key ward-policy):
  type = "window"
  kind = "exception"
  areas = ["vn/ha-noi/dong-thanh"]
  basis = "Chủ tịch UBND phường đồng ý lúc 21h40 ngày 06/10/2026: tìm trẻ lạc ở chợ"
  classes = ["priority"]
  for_minutes = 90                    # từ bây giờ / from now; hoặc / or: begins = …, ends = …
  session_minutes = 5                 # mỗi buổi tối đa / each session
  total_minutes = 20                  # cả thảy tối đa / in all
  volume = 60
"""
SILENCE = """\
Tạm ngừng phát, nhà có tang / a silence, a funeral (--key ward-policy):
  type = "window"
  kind = "silence"                    # tin khẩn cấp vẫn phát / emergencies still sound
  stations = ["dong-thanh-01"]
  zones = ["c2"]
  basis = "Gia đình cụ Nguyễn Văn A, ngõ 5, đề nghị ngày 06/10/2026"
  begins = 2026-10-07T05:00:00+07:00
  ends = 2026-10-09T12:00:00+07:00
"""
REGULATION = """\
Quy chế, phường nội thành Hà Nội / the policy of an inner ward of Hanoi (--key ward-policy):
  type = "regulation"
  areas = ["vn/ha-noi/dong-thanh"]
  number = "128/QĐ-UBND"
  dated = 2026-09-28
  [[clauses]]                         # điều đầu: cho tất cả / the first one holds for all
  quiet = ["21:00", "05:00"]
  weekdays = [1, 2, 3, 4, 5]
  sessions_per_day = 2
  session_minutes = 15
  volume = 70                         # hoặc / or: [["05:00", "06:00", 45], ["00:00", "00:00", 70]]
"""
COMMAND = """\
Khóa bảo trì 2 giờ / a lock of 2 hours (--key ward-routine); làm ngay bằng / at once by: edge-agent-headend order lock
  type = "command"
  do = "lock"
  stations = ["dong-thanh-01"]
  zones = ["c1"]
  for_minutes = 120
Hủy một lệnh phát / cancel a job:
  type = "command"
  do = "cancel"
  areas = ["vn/ha-noi/dong-thanh"]
  target = "dong-thanh-20261006-k7qm-4dtx"
"""
TIMETABLE = """\
Thay cả lịch phát / replace the whole timetable (--key ward-routine):
  type = "timetable"                  # mục nào không có ở đây thì dừng / what is not listed here ends
  areas = ["vn/ha-noi/dong-thanh"]
  [[entries]]                         # mỗi mục như một lệnh phát / each like a broadcast
  class = "normal"
  volume = 70
  when = { first_day = 2026-11-01, last_day = 2026-11-30, times = ["05:30", "17:00"] }
  [[entries.items]]
  title = "Bản tin phường"
  text = "Bản tin phường Đông Thành."
  [[entries]]
  class = "priority"
  zones = ["c2"]                      # bỏ trống: như trên / absent: as above
  volume = 60
  when = { at = 2026-11-08T07:00:00+07:00 }
  [[entries.items]]
  title = "Dọn vệ sinh chợ"
  text = "Mời bà con cùng dọn vệ sinh chợ."
"""
SIGN_MORE = f"""\
Bản thảo TOML hoặc JSON / a draft.
{JOB}
{EXCEPTION}
{SILENCE}
{REGULATION}
{COMMAND}
{TIMETABLE}
Nhiều người ký: người thứ nhất dùng --draft, người sau dùng --add / several officers: the first --draft, then --add."""
