"""How SQLite finds and loads the extension of a build."""

import os
import pathlib
import re
import subprocess
import sys

from running import BIN

LIBRARY = BIN.parent / "lib/libsnap_sqlite.so"


def environment(leaks):
    """For programs that load it. The sanitizers' library has to come first; `leaks`: whether it complains
    of what is left at the end, as Python and the shell leave much of their own."""
    env = {"LD_LIBRARY_PATH": str(LIBRARY.parent)}
    if os.environ.get("SNAP_VARIANT") == "asan":
        needed = subprocess.run(["ldd", LIBRARY], check=True, capture_output=True, text=True).stdout
        env["LD_PRELOAD"] = re.search(r"=> (\S*libasan\S*)", needed)[1]
        if not leaks:
            env["ASAN_OPTIONS"] = re.sub("detect_leaks=1", "detect_leaks=0", os.environ.get("ASAN_OPTIONS", ""))
    return env


def loading_python():
    """A Python that can load extensions; one that was built by hand often cannot. None where there is none."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = "import sqlite3; sqlite3.Connection.enable_load_extension"
        if pathlib.Path(python).exists() and subprocess.run([python, "-c", check], capture_output=True).returncode == 0:
            return python
    return None
