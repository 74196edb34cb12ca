"""This machine, and the pages that figures of it are written to."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path


def busy_share(seconds=1.0):
    """Share of the machine's time that other programs use, measured while idle."""

    def read():
        numbers = [
            int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]
        ]
        return sum(numbers[:8]), numbers[3] + numbers[4]

    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info).group(1)
    memory = (
        int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1))
        // 1024
        // 1024
    )
    return f"{os.cpu_count()} cores of {model}, {memory} GiB, Linux {platform.release()}"


def commit(root):
    """The present commit, marked if the tree has changes."""
    described = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(described, check=True, text=True, capture_output=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def mark(who):
    """The comments around the figures of this script."""
    return f"<!-- {who} writes from here -->", "<!-- to here -->"


def replace_between(page, begin, end, text):
    """Replaces the text between two marks of a page, which may not be there yet."""
    old = page.read_text() if page.exists() else f"# Performance\n\n{begin}\n{end}\n"
    if begin not in old:
        raise SystemExit(f"{page} has no line {begin}")
    head, _, rest = old.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}")
