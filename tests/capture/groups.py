"""Memory control groups of the system, made for a test; where there is none that can be made, says why."""

import os
import pathlib
import time

MOUNT = pathlib.Path("/sys/fs/cgroup")


def own(controllers):
    """The path of this process's group in the hierarchy that has these, or None."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names == controllers:
            return path
    return None


class Group:
    """Limits what is in it, and stays until `remove`."""

    def __init__(self, folder, is_old):
        self.folder = folder
        self.usage = "memory.usage_in_bytes" if is_old else "memory.current"

    def write(self, name, text):
        (self.folder / name).write_text(f"{text}\n")

    def enter(self):
        """In a child, before it becomes another program."""
        self.write("cgroup.procs", os.getpid())

    def remove(self):
        for _ in range(200):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)  # what was killed takes a moment to be gone


def candidates():
    """(folder that may have a group of ours, whether it is of version 1)"""
    old = own("memory")
    if old is not None:
        yield MOUNT / f"memory{old}", True
    new = own("")
    if new is not None:
        yield MOUNT / new.lstrip("/"), False
        yield MOUNT, False


def make(limit):
    """(Group or None, why there is none)"""
    why = "the system has no memory controller"
    for parent, is_old in candidates():
        folder = parent / f"snaptools-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            why = f"no control group can be made: {error.strerror}"
            continue
        group = Group(folder, is_old)
        try:
            group.write("memory.limit_in_bytes" if is_old else "memory.max", limit)
            return group, None
        except OSError as error:
            why = f"no limit can be set in a control group: {error.strerror}"
        group.remove()
    return None, why
