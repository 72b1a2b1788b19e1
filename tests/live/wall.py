"""Two networks on this machine: one with a LiveKit server and its TURN server, one behind a firewall.

    outside 10.77.0.1: server, TURN, everybody else ── veth ── inside 10.77.0.2: who may reach chosen ports only

Both are namespaces of their own, made without privileges; names are looked up in a hosts file of their own.
"""
import subprocess
import time

from proxy import make_certificates
from server import BINARY, KEY, SECRET

OUTSIDE, INSIDE = "10.77.0.1", "10.77.0.2"
TURN_NAME = "turn.kinglet.test"
SIGNAL, TURN_UDP, TURN_TLS = 7880, 3478, 443

CONFIG = """
port: {signal}
bind_addresses: ["{outside}"]
keys: {{ {key}: {secret} }}
rtc:
  node_ip: {outside}
  use_external_ip: false
  udp_port: 7882
  tcp_port: 7881
  # Left out, the list names servers outside.
  stun_servers: ["{outside}:7882"]
turn:
  enabled: true
  domain: {name}
  udp_port: {udp}
  tls_port: {tls}
  cert_file: {cert}
  key_file: {key_file}
  allow_restricted_peer_cidrs: ["10.77.0.0/24"]
logging: {{ level: debug }}
"""

FIREWALL = """
table inet wall {{
  chain out {{
    type filter hook output priority 0; policy drop;
    meta l4proto icmp accept
    oifname "lo" accept
    {rules}
  }}
}}
"""


class Wall:
    url = f"ws://{OUTSIDE}:{SIGNAL}"

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.cert, self.key = make_certificates(folder / "tls", TURN_NAME)
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{OUTSIDE} {TURN_NAME}\n")
        self.holders = []
        self.out = self._namespace(["unshare", "--map-root-user", "--net", "--mount"])
        self.run(self.out, "mount", "--bind", hosts, "/etc/hosts")
        self.inner = self._namespace([*self.out, "unshare", "--net"])
        self.run(self.out, "ip", "link", "set", "lo", "up")
        inner_pid = self.holders[-1].pid
        self.run(self.out, "ip", "link", "add", "wan", "type", "veth", "peer", "name", "lan", "netns", inner_pid)
        for where, link, address in [(self.out, "wan", OUTSIDE), (self.inner, "lan", INSIDE)]:
            self.run(where, "ip", "address", "add", f"{address}/24", "dev", link)
            self.run(where, "ip", "link", "set", link, "up")
        self.run(self.inner, "ip", "link", "set", "lo", "up")
        self.config = folder / "livekit.yaml"
        self.config.write_text(
            CONFIG.format(
                signal=SIGNAL, outside=OUTSIDE, key=KEY, secret=SECRET, name=TURN_NAME, udp=TURN_UDP,
                tls=TURN_TLS, cert=self.cert, key_file=self.key,
            )
        )
        self.log = folder / "livekit.log"
        self.server = subprocess.Popen(
            [*self.out, BINARY, "--config", self.config], stdout=self.log.open("w"), stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while "starting LiveKit server" not in self.text():
            assert self.server.poll() is None and time.monotonic() < deadline, self.text()[-2000:]
            time.sleep(0.05)

    def let_out(self, *ports):
        """From now on the inside reaches these ports only: `tcp 443`, `udp 3478`; the signal port always."""
        rules = [f"{port.replace(' ', ' dport ')} accept" for port in (f"tcp {SIGNAL}", *ports)]
        self.run(self.inner, "nft", "flush", "ruleset")
        text = FIREWALL.format(rules="\n    ".join(rules))
        subprocess.run([*self.inner, "nft", "-f", "-"], input=text, text=True, check=True)

    def run(self, where, *command):
        subprocess.run([*where, *map(str, command)], check=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        for process in [self.server, *reversed(self.holders)]:
            process.kill()
            process.wait()

    def _namespace(self, command):
        """A process that holds a new namespace; the words that enter it."""
        holder = subprocess.Popen(
            [*command, "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE, text=True
        )
        self.holders.append(holder)
        assert holder.stdout.readline() == "\n", "no namespaces on this machine"
        return ["nsenter", "--preserve-credentials", "-t", str(holder.pid), "-U", "-n", "-m"]
