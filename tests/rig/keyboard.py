"""A keyboard that a test plugs in, types on and pulls out, by the kernel's uinput (linux/uinput.h)."""
import fcntl
import os
import struct
import time

UI_SET_EVBIT, UI_SET_KEYBIT, UI_DEV_CREATE = 0x40045564, 0x40045565, 0x5501
EV_SYN, EV_KEY = 0, 1


class Keyboard:
    """It has these keys, by their numbers in linux/input-event-codes.h, until it is pulled out."""

    def __init__(self, *keys):
        self.device = os.open("/dev/uinput", os.O_WRONLY)
        fcntl.ioctl(self.device, UI_SET_EVBIT, EV_KEY)
        for key in keys:
            fcntl.ioctl(self.device, UI_SET_KEYBIT, key)
        # struct uinput_user_dev: name, bus (USB), vendor, product, version, effects, four tables of axes.
        os.write(self.device, struct.pack("80s4HI256i", b"keyboard of a test", 3, 1, 1, 1, 0, *[0] * 256))
        fcntl.ioctl(self.device, UI_DEV_CREATE)

    def send(self, key, value):
        now = time.time()
        seconds, microseconds = int(now), int(now % 1 * 1e6)
        for kind, code, what in ((EV_KEY, key, value), (EV_SYN, 0, 0)):
            os.write(self.device, struct.pack("qqHHi", seconds, microseconds, kind, code, what))

    def press(self, key):
        self.send(key, 1)

    def release(self, key):
        self.send(key, 0)

    def pull_out(self):
        os.close(self.device)
