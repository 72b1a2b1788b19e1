"""The ARM board of `vm --arch aarch64`: QEMU's `virt` machine with Debian's arm64 kernel, as made by mk-arm.

What differs from User-Mode Linux: instructions are translated, which costs 5 to 30 times as much; virtual time means one
nanosecond an instruction, so that computing costs the guest time whatever the host is doing; folders come by 9p; there is
a USB socket, and what only the host can do the guest asks of `Outside` by files in the job folder:

    guest: ask-0 "usb del"  ─►  QMP device_del  ─►  answer-0
"""
import json
import os
import socket
from pathlib import Path

CACHE = Path(os.environ.get("KINGLET_CACHE", Path.home() / ".cache/kinglet")) / "rig-arm"
USB = "usb-audio,id=usb,audiodev=usb"
MODULES = ["bridge", "veth", "sch_netem"]


def modules(options, cards):
    """What the guest loads once it has a root, with the parameters."""
    numbers = ",".join(str(number) for number in range(len(cards)))
    loopback = f"snd-aloop index={numbers} enable={','.join('1' for _ in cards)} id={','.join(cards)}"
    return [loopback, *MODULES, *(["xhci-pci", "snd-usb-audio"] if options.usb_audio else [])]


def command_line(job, options):
    virtual = ["-icount", "shift=0,sleep=off", "-smp", "1"] if options.time == "virtual" else ["-smp", "2"]
    line = [
        "qemu-system-aarch64", "-M", "virt", "-accel", "tcg", "-cpu", "cortex-a53", *virtual, "-m", str(options.memory),
        "-nodefaults", "-display", "none", "-no-reboot", "-kernel", CACHE / "kernel", "-initrd", CACHE / "initrd",
        "-append", f"console=ttyAMA0 panic=-1 RIG={job}", "-serial", f"file:{job}/kernel.log",
        "-qmp", f"unix:{job}/qmp,server=on,wait=off", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
        "-chardev", "stdio,id=out,signal=off", "-device", "virtconsole,chardev=out",
    ]
    shared = [("root", CACHE / "root", ",readonly=on"), ("job", job, "")]
    shared += [(f"rw{number}", path.resolve(), "") for number, path in enumerate(options.writable)]
    for tag, path, mode in shared:
        line += ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap{mode}"]
    if options.usb_audio:
        wav = f"wav,id=usb,path={options.usb_audio.resolve()},out.frequency=48000"
        line += ["-audiodev", wav, "-device", "qemu-xhci", "-device", USB]
    return line


class Outside:
    """Does for the guest what only the host can do."""

    def __init__(self, job):
        self.job = Path(job)
        self.qmp = None
        self.done = 0

    def serve(self):
        ask = self.job / f"ask-{self.done}"
        if not ask.exists():
            return
        word, action = ask.read_text().split()
        assert word == "usb", word
        command = f"device_add {USB}" if action == "add" else "device_del usb"
        answer = self.say("human-monitor-command", **{"command-line": command})
        # Renamed, so that the guest never reads half of it.
        (self.job / ".answer").write_text(answer or "")
        (self.job / ".answer").rename(self.job / f"answer-{self.done}")
        self.done += 1

    def say(self, command, **arguments):
        if self.qmp is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(self.job / "qmp"))
            self.qmp = connection.makefile("rw")
            self.qmp.readline()
            self.say("qmp_capabilities")
        print(json.dumps({"execute": command, "arguments": arguments}), file=self.qmp, flush=True)
        while True:
            answer = json.loads(self.qmp.readline())
            if "event" not in answer:
                return answer.get("return")
