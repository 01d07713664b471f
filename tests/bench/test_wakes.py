from __future__ import annotations

from bench.wakes import sessions_count

OLD = "9:name=systemd:/init.scope\n1:cpu,cpuacct:{}\n"
NEW = "0::{}\n"


def test_sessions_count_where_the_kernel_is_told_so_and_no_control_group_shares_out_instead() -> None:
    assert sessions_count("1\n", OLD.format("/"))
    assert sessions_count("1\n", NEW.format("/"))
    assert not sessions_count("0\n", NEW.format("/"))
    assert not sessions_count("1\n", OLD.format("/user.slice"))
    assert not sessions_count("1\n", NEW.format("/system.slice/a.service"))
