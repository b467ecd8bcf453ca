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
# user than the program, which can neither signal it nor open its descriptors. It first reports that
# it is there, so that a sandbox that cannot be made is not taken for a program that fails. Then it
# waits for a byte at the descriptor in RLVR_START. Without RLVR_REPORT it becomes the program.
# `posix` is what `os` is made of, and starts sooner.
LAUNCHER = """
import posix, resource, sys
user, limits, *program = sys.argv[1:]
user = int(user)
def become(user):
    if user:
        posix.setgroups([])
        posix.setresgid(user, user, user)
        posix.setresuid(user, user, user)
def descriptor(name):
    value = posix.environ.get(name)
    if value is None:
        return -1
    posix.unsetenv(name)
    return int(value)
report, start = descriptor(b"RLVR_REPORT"), descriptor(b"RLVR_START")
child = 0
if report >= 0:
    posix.write(report, b"ready\\n")
    posix.read(start, 1) or posix._exit(1)
    posix.close(start)
    posix.set_inheritable(report, False)
    child = posix.fork()
if child:
    become(user and user + 2000000000)
    null = posix.open("/dev/null", posix.O_RDWR)
    for number in range(3):
        posix.dup2(null, number)
    _, status, usage = posix.wait4(child, 0)
    posix.write(report, b"%d %f" % (status, usage.ru_utime + usage.ru_stime))
    posix._exit(0)
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
posix.execv(program[0], program)
"""
