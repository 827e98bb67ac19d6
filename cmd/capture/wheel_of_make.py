"""Builds the wheel of snaptools for pip (PEP 517): runs make, and packs the tools, the agent where snaprun looks
for it, and the agent once more as a module to be imported without snaprun."""

import base64
import hashlib
import os
import re
import subprocess
import sysconfig
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")


def from_makefile(name):
    path = os.path.join(ROOT, "Makefile")
    if not os.path.exists(path):
        raise RuntimeError("%s is not there: install from a clone of the repository, by pip 21.3 or later" % path)
    with open(path) as file:
        return re.search(r"^%s *:= *(.*)$" % name, file.read(), re.M).group(1)


def run_make():
    # Of another make that runs us.
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-C", ROOT, "-j%d" % (os.cpu_count() or 1), "BUILD=build", "all"], check=True, env=environment)


def metadata(version):
    return "Metadata-Version: 2.1\nName: snaptools\nVersion: %s\nSummary: Heap snapshots of Python services\n" \
        "License: Apache-2.0\nRequires-Python: >=3.7\n" % version


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = from_makefile("VERSION")
    run_make()
    tag = "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())
    name = "snaptools-%s" % version
    data, info = name + ".data", name + ".dist-info"
    agent = os.path.join(BUILD, "lib/snaptools")
    files = {"%s/scripts/%s" % (data, tool): os.path.join(BUILD, "bin", tool) for tool in from_makefile("TOOLS").split()}
    files["snapcapture.so"] = os.path.join(agent, "snapcapture.so")
    for part in ("snapcapture.so", "sitecustomize.py", "snaprun_aside.py"):
        files["%s/data/lib/snaptools/%s" % (data, part)] = os.path.join(agent, part)
    contents = {place: open_bytes(path) for place, path in files.items()}
    contents[info + "/METADATA"] = metadata(version).encode()
    contents[info + "/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: make\nRoot-Is-Purelib: false\nTag: %s\n" % tag).encode()
    record = info + "/RECORD"
    lines = ["%s,sha256=%s,%d" % (place, digest(bytes_), len(bytes_)) for place, bytes_ in contents.items()]
    contents[record] = "\n".join(lines + [record + ",,", ""]).encode()
    wheel = "%s-%s.whl" % (name, tag)
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for place, bytes_ in contents.items():
            entry = zipfile.ZipInfo(place)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if place.startswith(data + "/scripts/") else 0o100644) << 16
            archive.writestr(entry, bytes_)
    return wheel


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def digest(bytes_):
    return base64.urlsafe_b64encode(hashlib.sha256(bytes_).digest()).rstrip(b"=").decode()


def build_sdist(sdist_directory, config_settings=None):
    raise RuntimeError("there are no source packages: clone the repository")
