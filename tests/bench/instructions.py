"""Instructions of a program under qemu-user, by owner. count.c counts; here is what it means.

    qemu-aarch64 -plugin count.so PROGRAM ─► blocks of code × executions ─► address ─► file, symbol ─► owner

An address belongs to a file of the guest by the memory map, to a symbol by that file's symbol table, and to an owner by
the file (shared libraries) or by the symbol: those of Opus and aws-lc are read from the archives they were linked from,
Rust's carry the name of their crate. What the compiler has inlined counts for the function that it was inlined into.
"""
import bisect
import collections
import re
import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CROSS = ROOT / "target/cross"
PT_LOAD = 1
PAGE = 0x1000
BLOCKS_PER_S = 100
BLOCKS_PER_PACKET = 2
# 64-bit guests have the addresses of the host; a 32-bit one is put here.
ARM_BASE = 0x200000000000


class Machine:
    """A kind of board: the names that its tools go by."""

    def __init__(self, name):
        self.name = name
        self.arch, self.triple, self.gnu, self.qemu = {
            "aarch64": ("arm64", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu", ["qemu-aarch64"]),
            "armv7": ("armhf", "armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf", ["qemu-arm", "-B", hex(ARM_BASE)]),
        }[name]
        self.base = ARM_BASE if name == "armv7" else 0

    def command(self, sysroot, counts, *window):
        """What goes before the program: FROM and TO are in seconds after its start, all of it unless said."""
        plugin = f"{CROSS}/count.so,out={counts}" + "".join(f",{name}={at}" for name, at in zip(("from", "to"), window))
        return [*self.qemu, "-L", sysroot, "-plugin", plugin]

    def symbols(self, path):
        """(address, name) of each function, by address."""
        found = []
        for table in ([], ["-D"]):
            text = subprocess.run([f"{self.gnu}-nm", *table, "--demangle", "--defined-only", path], capture_output=True, text=True).stdout
            for line in text.splitlines():
                address, kind, name = (line.split(maxsplit=2) + [""])[:3]
                # Some have no name. The low bit of an address says Thumb; $a, $d, $t and $x mark code and data.
                if kind in "tTwWiu" and name and not name.startswith("$"):
                    found.append((int(address, 16) & ~1, name if "::" in name else name.split("@")[0]))
        return sorted(set(found))

    def archived(self, pattern):
        """Names of the functions in the archives of this pattern."""
        names = set()
        for archive in CROSS.glob(f"{self.triple}/release/build/{pattern}"):
            text = subprocess.run([f"{self.gnu}-nm", "--defined-only", archive], capture_output=True, text=True).stdout
            names |= {line.split()[2] for line in text.splitlines() if re.match(r"[0-9a-f]+ [tTwW] [^$]", line)}
        return names


class Profile:
    """One run: `instructions` by (thread, file, symbol), `executions` by (thread, symbol), system calls by number."""

    def __init__(self, machine, counts):
        self.machine = machine
        self.instructions = collections.Counter()
        self.executions = collections.Counter()
        self.calls = collections.Counter()
        lines = [line.split() for line in Path(counts).read_text().splitlines()]
        self.files = Files(machine, [words[1:] for words in lines if words[0] == "map"])
        for kind, *words in lines:
            if kind == "seconds":
                self.seconds = float(words[0])
            elif kind == "turn":
                self.longest_turn = int(words[0])
            elif kind == "call":
                self.calls[int(words[0])] = int(words[1])
            elif kind == "block":
                address, length, thread, count = (int(word, 0) for word in words)
                file, symbol, is_entry = self.files.place(address)
                self.instructions[thread, file, symbol] += length * count
                if is_entry:
                    self.executions[thread, symbol] += count

    def packets(self, verb, thread=None):
        """Packets that Opus encoded or decoded, by its entry points for integers and floats."""
        return sum(
            count
            for (one, symbol), count in self.executions.items()
            if symbol in (f"opus_{verb}", f"opus_{verb}_float") and thread in (None, one)
        )

    def per_block(self, owner):
        """Instructions per 10 ms by (owner, file, symbol): each thread's by the packets that it made, or else took apart."""
        owned = collections.Counter()
        blocks = {}
        for (thread, file, symbol), count in self.instructions.items():
            if thread not in blocks:
                packets = self.packets("encode", thread) or self.packets("decode", thread)
                blocks[thread] = BLOCKS_PER_PACKET * packets or BLOCKS_PER_S * self.seconds
            owned[owner(file, symbol), file, symbol] += count / blocks[thread]
        return owned


class Files:
    """The guest's files in memory."""

    def __init__(self, machine, maps):
        self.machine = machine
        self.tables = {}
        self.places = []
        for words in maps:
            if len(words) < 6 or not words[5].startswith("/") or not Path(words[5]).is_file():
                continue
            first, last = (int(end, 16) - machine.base for end in words[0].split("-"))
            if first >= 0:
                self.places.append((first, last, words[5], int(words[2], 16)))
        self.places.sort()

    def place(self, address):
        """File, symbol, and whether the address is where the symbol begins."""
        index = bisect.bisect_right(self.places, (address, float("inf"))) - 1
        if index < 0 or address >= self.places[index][1]:
            return "", "", False
        first, _, path, offset = self.places[index]
        if path not in self.tables:
            self.tables[path] = (segments(path), self.machine.symbols(path))
        loads, symbols = self.tables[path]
        wanted = offset + (address - first)
        for file_offset, virtual, size in loads:
            if file_offset - file_offset % PAGE <= wanted < file_offset + size:
                wanted += virtual - file_offset
                break
        at = bisect.bisect_right(symbols, (wanted, "\x7f")) - 1
        if at < 0:
            return path, "", False
        return path, symbols[at][1], symbols[at][0] == wanted


def segments(path):
    """(offset, virtual address, size) of what the loader maps from an ELF file."""
    data = Path(path).read_bytes()
    if data[:4] != b"\x7fELF":
        return []
    is_64 = data[4] == 2
    start, = struct.unpack_from("<Q" if is_64 else "<I", data, 32 if is_64 else 28)
    size, count = struct.unpack_from("<HH", data, 54 if is_64 else 42)
    found = []
    for at in range(start, start + size * count, size):
        if is_64:
            kind, _, offset, virtual, _, in_file = struct.unpack_from("<IIQQQQ", data, at)
        else:
            kind, offset, virtual, _, in_file = struct.unpack_from("<IIIII", data, at)
        if kind == PT_LOAD:
            found.append((offset, virtual, in_file))
    return found


RUST = {"kinglet": "ours", "core": "Rust's library", "alloc": "Rust's library", "std": "Rust's library"}
RUST |= dict.fromkeys(["str0m", "str0m_proto", "str0m_aws_lc_rs", "dimpl", "sctp_proto", "is"], "str0m")
LIBRARIES = {"libc": "libc", "libm": "libm, for Opus"}


def crate_of(name):
    """The crate of a function, and of a generic one the crate that wrote it."""
    found = re.match(r"[<&*(\[]*(?:dyn |mut |const )*(\w+)::", name)
    return found[1] if found else ""


def kinglet_owner(machine):
    """Who owns the functions of kinglet's program."""
    opus = machine.archived("opusic-sys-*/out/**/libopus.a")
    crypto = machine.archived("aws-lc-sys-*/out/*.a")

    def owner(file, symbol):
        if "kinglet" not in Path(file).name:
            return LIBRARIES.get(Path(file).name.split(".")[0], "other libraries")
        if symbol in opus:
            return "Opus"
        if symbol in crypto:
            return "aws-lc"
        return RUST.get(crate_of(symbol), "other crates")

    return owner


def baresip_owner(file, _symbol):
    """baresip's parts are libraries of their own."""
    name = Path(file).name
    for start, owner in (("libopus", "Opus"), ("libcrypto", "OpenSSL"), ("libre", "libre, librem"), ("libsrtp", "libsrtp")):
        if name.startswith(start):
            return owner
    if name == "baresip" or "/baresip/modules/" in file:
        return "baresip"
    return LIBRARIES.get(name.split(".")[0], "other libraries")
