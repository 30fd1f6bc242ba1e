#!/usr/bin/python3
"""Whether what a process did, as strace tells it, is permitted by the sandbox of a systemd unit.

    sandbox.py UNIT TRACE…

Looks at SystemCallFilter, RestrictAddressFamilies, RestrictNamespaces and MemoryDenyWriteExecute.
"""

import pathlib
import re
import subprocess
import sys


def main():
    unit, *traces = sys.argv[1:]
    said = settings(pathlib.Path(unit).read_text())
    allowed = set()
    for filter in said["SystemCallFilter"]:
        calls = members(filter.lstrip("~"))
        allowed = allowed - calls if filter.startswith("~") else allowed | calls
    families = set(said["RestrictAddressFamilies"][0].split())

    seen, wrong = set(), set()
    for trace in traces:
        for line in open(trace):
            # "<… futex resumed>" and signals name no call that is made here.
            call = re.match(r"(?:\d+ +)?([a-z_0-9]+)\((.*)", line)
            if not call:
                continue
            name, rest = call.groups()
            seen.add(name)
            if name not in allowed:
                wrong.add(f"{name}: not in SystemCallFilter")
            if name == "socket" and rest.split(",")[0] not in families:
                wrong.add(f"socket({rest.split(',')[0]}): not in RestrictAddressFamilies")
            if "CLONE_NEW" in rest:
                wrong.add(f"{name}: makes a namespace")
            if name in ("mmap", "mprotect") and "PROT_EXEC" in rest and ("PROT_WRITE" in rest or name == "mprotect"):
                wrong.add(f"{name}: memory that is written and executed")
    if wrong:
        sys.exit("sandbox: " + "; ".join(sorted(wrong)))
    if len(seen) < 50:
        sys.exit(f"sandbox: {len(seen)} system calls are too few to tell anything")
    print(f"   {len(seen)} system calls, all permitted by the unit")


def settings(text):
    said = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            said.setdefault(key, []).append(value)
    return said


def members(name):
    """The system calls of a group, with those of the groups in it."""
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True)
    words = (line.strip() for line in told.stdout.splitlines()[1:])
    return set().union(*(members(word) for word in words if word and not word.startswith("#")))


if __name__ == "__main__":
    main()
