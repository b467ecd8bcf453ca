"""The first program in a sandbox: it sets limits, starts the program and reports how it ended."""

from __future__ import annotations

__all__ = ["LAUNCHER", "READY", "REPORT", "START"]

# Variables of the environment that name descriptors, and what the launcher first reports.
REPORT, START = "RLVR_REPORT", "RLVR_START"
READY = b"ready\n"

# Runs inside the sandbox, where the process limit counts the processes of the sandbox alone: those
# of its user namespace, or of its user. Its words: the user that the program becomes (0: none), the
# limits, the program and its arguments. Where the environment names a descriptor in RLVR_REPORT,
# the program is a child, and its wait status and processor seconds are written there: bubblewrap
# itself gives the same exit code for exit(137) and for the signal 9. The launcher becomes another
# user than the program, which can neither signal it nor open its descriptors. Where RLVR_START
# names a descriptor, the launcher first reports that it is there, and waits for a byte. Without
# RLVR_REPORT the launcher becomes the program.
LAUNCHER = """
import os, resource, sys
user, limits, *program = sys.argv[1:]
user = int(user)
def become(user):
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
report, start = (int(os.environ.pop(name, "-1")) for name in ("RLVR_REPORT", "RLVR_START"))
child = 0
if report >= 0:
    if start >= 0:
        os.write(report, b"ready\\n")
        os.read(start, 1) or os._exit(1)
        os.close(start)
    os.set_inheritable(report, False)
    child = os.fork()
if child:
    become(user and user + 2000000000)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    _, status, usage = os.wait4(child, 0)
    os.write(report, b"%d %f" % (status, usage.ru_utime + usage.ru_stime))
    os._exit(0)
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
except OSError:
    pass
become(user)
for item in limits.split(","):
    name, value = item.split("=")
    name, value = getattr(resource, "RLIMIT_" + name), int(value)
    hard = resource.getrlimit(name)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(name, (value, value))
os.execv(program[0], program)
"""
