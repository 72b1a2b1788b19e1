"""Two baresips in a call on loopback, set up as kinglet is: Opus 24 kbit/s at complexity 5, 20 ms, mono, SRTP, no DTX, no FEC.

Its sound comes from a WAV file, as kinglet's; what it hears goes to a player that throws it away, since this version
writes no files.
"""
import subprocess

from server import free_ports

CONFIG = """
poll_method epoll
sip_listen 127.0.0.1:{port}
audio_player aubridge,nowhere
audio_source aufile,{spoken}
audio_alert aubridge,nowhere
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 1
auplay_channels 1
audio_txmode poll
audio_buffer 20-160
jitter_buffer_delay 2-10
rtp_tos 184
statmode_default off
module_path {modules}
module aufile.so
module aubridge.so
module opus.so
module srtp.so
module_app account.so
module_app menu.so
opus_bitrate 24000
opus_stereo no
opus_sprop_stereo no
opus_cbr no
opus_inbandfec no
opus_dtx no
opus_complexity 5
opus_application voip
"""
ACCOUNT = "<sip:{name}@127.0.0.1:{port}>;regint=0;audio_codecs=opus;mediaenc=srtp-mand;ptime=20;answermode=auto\n"


class Baresip:
    """One end. `prefix` is what its program is run under, `root` where its libraries are."""

    def __init__(self, folder, name, spoken, seconds, calls=None, prefix=(), root=""):
        self.name = name
        self.folder = folder / f"baresip-{name}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, = free_ports(1)
        self.log = self.folder / "log"
        config = CONFIG.format(port=self.port, spoken=spoken, modules=f"{root}/usr/lib/baresip/modules")
        (self.folder / "config").write_text(config)
        (self.folder / "accounts").write_text(ACCOUNT.format(name=name, port=self.port))
        (self.folder / "contacts").write_text("")
        dial = ["-e", f"/dial sip:{calls.name}@127.0.0.1:{calls.port}"] if calls else []
        self.process = subprocess.Popen(
            [*map(str, prefix), f"{root}/usr/bin/baresip", "-f", self.folder, "-t", str(seconds), *dial],
            stdin=subprocess.DEVNULL, stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )

    @property
    def pid(self):
        return self.process.pid

    def wait(self, timeout_s):
        assert self.process.wait(timeout_s) == 0, self.log.read_text()[-500:]
        assert "Call established" in self.log.read_text(), self.log.read_text()[-1000:]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
