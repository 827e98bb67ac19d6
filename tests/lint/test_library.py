"""What must hold for the library whatever it does: no printing, no exits, no state of its own, the walls
between its rooms, and exactly the names its headers declare."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["SNAP_ROOT"])
LIB = pathlib.Path(os.environ["SNAP_BUILD"]) / "lib"
LIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"}
INCLUDE = ROOT / "libsnap/include"
HEADERS = sorted(INCLUDE.glob("snap/*.h"))

FORBIDDEN = re.compile(
    r"(__)?(v?f?printf|v?dprintf|puts|putc|putchar|fputs|fputc|fwrite|perror|psignal|stdout|stderr|stdin|fopen"
    r"|exit|_exit|_Exit|quick_exit|abort|__assert_fail|err|errx|warn|warnx|signal|sigaction|setlocale|setenv|umask"
    r"|alarm|fork|system|popen|strtok|localtime|gmtime)(64)?(_chk)?")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def declared():
    """Functions of the public headers."""
    names = set()
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for match in re.finditer(r"^SNAP_API\b([^;]*);", text, re.M):
            names.add(re.search(r"\b(\w+)\s*\(", match[1])[1])
    return names


class Symbols(unittest.TestCase):
    def test_calls_nothing_that_prints_exits_or_has_global_effect(self):
        for line in output_of("nm", "-A", "--undefined-only", LIB / "libsnap.a").splitlines():
            where, name = line.split(" U ")
            with self.subTest(where=where.strip()):
                self.assertIsNone(FORBIDDEN.fullmatch(name), f"{name} is called")

    def test_has_no_writable_globals(self):
        for line in output_of("nm", "-A", "--format=sysv", "--defined-only", LIB / "libsnap.a").splitlines():
            columns = [c.strip() for c in line.split("|")]
            if len(columns) != 7 or columns[3] != "OBJECT":
                continue
            with self.subTest(name=columns[0]):
                self.assertRegex(columns[6], r"^\.(rodata|data\.rel\.ro)")

    def test_every_global_name_has_the_prefix(self):
        for line in output_of("nm", "-g", "--defined-only", LIB / "libsnap.a").splitlines():
            fields = line.split()
            if len(fields) == 3:
                with self.subTest(name=fields[2]):
                    self.assertTrue(fields[2].startswith("snap_"))

    def test_shared_library_exports_what_the_headers_declare(self):
        lines = output_of("nm", "-D", "--defined-only", LIB / "libsnap.so").splitlines()
        exported = {line.split()[2] for line in lines}
        self.assertEqual(exported - declared(), set(), "exported and not declared")
        self.assertEqual(declared() - exported, set(), "declared and not exported")

    def test_sqlite_extension_exports_its_entry_only(self):
        lines = output_of("nm", "-D", "--defined-only", LIB / "libsnap_sqlite.so").splitlines()
        self.assertEqual([line.split()[-1] for line in lines], ["sqlite3_snapsqlite_init"])

    def test_agent_exports_its_entry_only_and_needs_little(self):
        agent = LIB / "snaptools/snapcapture.so"
        lines = output_of("nm", "-D", "--defined-only", agent).splitlines()
        self.assertEqual([line.split()[-1] for line in lines], ["PyInit_snapcapture"])
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "-d", agent)))
        self.assertLessEqual(needed, {"libzstd.so.1", "libz.so.1", *LIBC})

    def test_shared_library_knows_its_name_and_needs(self):
        dynamic = output_of("readelf", "-d", LIB / "libsnap.so")
        self.assertIn("[libsnap.so.0]", dynamic)
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
        self.assertLessEqual(needed, {"libzstd.so.1", "libz.so.1", "libpcre2-8.so.0", "libsqlite3.so.0", "libc.so.6", "libpthread.so.0",
                                       "libm.so.6"})


class Headers(unittest.TestCase):
    def check_alone(self, *compiler):
        for header in HEADERS:
            with self.subTest(header=header.name), tempfile.TemporaryDirectory() as folder:
                source = pathlib.Path(folder) / "alone.c"
                source.write_text(f"#include <snap/{header.name}>\n#include <snap/{header.name}>\n")
                done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                                       f"-I{INCLUDE}", source], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_compile_alone_as_c11(self):
        self.check_alone("cc", "-x", "c", "-std=c11")
        self.check_alone("clang", "-x", "c", "-std=c11")

    def test_compile_alone_as_cplusplus(self):
        self.check_alone("clang", "-x", "c++", "-std=c++11")

    def test_functions_can_be_called_from_cplusplus(self):
        """Names are C's: what C++ refers to is what the library has."""
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "call.cc"
            calls = "".join(f"\t(void *)&{name},\n" for name in sorted(declared()))
            includes = "".join(f"#include <snap/{header.name}>\n" for header in HEADERS)
            source.write_text(f"{includes}void *all[] = {{\n{calls}}};\n")
            subprocess.run(["clang", "-x", "c++", "-std=c++11", "-c", f"-I{INCLUDE}", "-o", f"{folder}/call.o", source],
                           check=True)
            wanted = {line.split()[-1] for line in output_of("nm", "-u", f"{folder}/call.o").splitlines()}
            self.assertEqual(declared() - wanted, set())

    def test_guards_and_includes(self):
        for header in HEADERS:
            with self.subTest(header=header.name):
                text = header.read_text()
                self.assertIn(f"#ifndef SNAP_{header.stem.upper()}_H\n#define SNAP_{header.stem.upper()}_H\n", text)
                self.assertEqual(re.findall(r'#include "', text), [])


ROOMS = {
    "base": {"base"},
    "model": {"base", "model"},
    "format": {"base", "model", "format"},
    "import": {"base", "model", "import"},
    "ops": {"base", "model", "ops"},
    "export": {"base", "model", "export"},
    "store": {"base", "model", "store"},
}
# What of the public headers the ground may know of: nothing that has to do with snapshots.
GROUND = {"status.h", "utf8.h", "limits.h", "input.h", "output.h"}


def includes_of(path):
    """(quoted, in angle brackets)"""
    text = path.read_text()
    return re.findall(r'^#\s*include\s+"([^"]+)"', text, re.M), re.findall(r"^#\s*include\s+<([^>]+)>", text, re.M)


class Rooms(unittest.TestCase):
    def test_rooms_do_not_look_back_or_aside(self):
        for path in sorted((ROOT / "libsnap").glob("*/*.[ch]")):
            room = path.parent.name
            with self.subTest(file=f"{room}/{path.name}"):
                self.assertIn(room, ROOMS)
                quoted, angled = includes_of(path)
                for name in quoted:
                    self.assertIn("/", name, "private headers are included as \"room/noun.h\"")
                    self.assertIn(name.split("/")[0], ROOMS[room])
                if room == "base":
                    self.assertLessEqual({n[5:] for n in angled if n.startswith("snap/")}, GROUND)

    def test_sqlite_extension_sees_public_headers_and_itself(self):
        for path in sorted((ROOT / "libsnap/store/extension").glob("*.[ch]")):
            with self.subTest(file=path.name):
                for name in includes_of(path)[0]:
                    self.assertTrue((path.parent / name).is_file(), name)

    def test_tools_see_public_headers_and_their_front_end(self):
        for path in sorted((ROOT / "cmd").rglob("*.[ch]")):
            if "capture" in path.parts:
                continue  # below
            with self.subTest(file=str(path.relative_to(ROOT))):
                for name in includes_of(path)[0]:
                    if (path.name, name) == ("snaptake.c", "capture/requests.h"):
                        continue  # the words that it and the agent speak
                    local = {(path.parent / name).resolve(), (ROOT / "cmd" / name).resolve()}
                    front = (ROOT / "cmd/frontend").resolve()
                    self.assertTrue(any(p.is_file() and p.parent == front for p in local), name)

    def test_agent_sees_public_headers_and_itself(self):
        for path in sorted((ROOT / "cmd/capture").glob("*.[ch]")):
            with self.subTest(file=path.name):
                for name in includes_of(path)[0]:
                    self.assertTrue((path.parent / name).is_file(), name)
                self.assertNotIn("Python.h", path.read_text().replace("no Python.h", ""))

    def test_files_are_named_for_what_they_are(self):
        for path in sorted(ROOT.glob("libsnap/**/*.[ch]")) + sorted(ROOT.glob("cmd/**/*.[ch]")):
            with self.subTest(file=str(path.relative_to(ROOT))):
                self.assertNotRegex(path.stem, r"util|common|misc|helper")
                self.assertTrue(path.read_text().startswith("/* "), "begins with what it is for")


if __name__ == "__main__":
    unittest.main()
