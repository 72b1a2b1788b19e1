# Sourced by tests/demo and tests/all: installs what is missing, each thing once, and says so.
#
# It is read with and without `set -e`: what may be missing is asked for in conditions only.
#
#   packages ─► Rust ─► Go ─► the LiveKit server (pinned) ─► a Python with the official SDK (pinned)
#                                                         └► Chromium with the official JavaScript SDK (pinned)
#
# What is pinned and slow to get is kept in ~/.cache/kinglet and linked under target/.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

KINGLET_CACHE=${KINGLET_CACHE:-$HOME/.cache/kinglet}
SERVER_VERSION=v1.13.5
SDK_VERSION=1.2.1
AGENTS_VERSION=1.8.9              # LiveKit's framework for agents: 394 MB, of its own
JS_SDK_VERSION=2.23.0
MATPLOTLIB_VERSION=3.10.7            # for tests/demo --plots
PLAYWRIGHT_VERSION=1.60.0         # the last with Debian 12's Node 18
RUST_MIN=$(sed -n 's/^rust-version = "1\.\([0-9]*\)".*/\1/p' Cargo.toml)
GO_TOOLCHAIN=go1.26.0             # what is fetched where the machine's Go is older than 1.21
mkdir -p "$KINGLET_CACHE" target

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'kinglet: %s\n' "$*" >&2; exit 1; }
is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# packages NAME…: installs those that are missing.
packages() {
  local missing=() name
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || die "please install what is called on Debian: ${missing[*]}"
  say "installing ${missing[*]}"
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    "${missing[@]}"; } >target/apt.log 2>&1 || die "apt-get could not install ${missing[*]}; see target/apt.log"
}

# The program as it is meant to be: the last step at full speed (cross/README.md).
release() { cargo rustc --release --locked --bin kinglet -- -Copt-level=3; }

# minor PROGRAM VERSION-ARGUMENT: the y of its 1.y, or 0 where it is missing.
minor() {
  local text
  text=$("$@" 2>/dev/null) || text=
  [[ $text =~ [^0-9.]1\.([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0
}

setup_build() {
  packages gcc g++ make cmake pkg-config libc6-dev libasound2-dev ca-certificates
  [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
  if [ "$(minor cargo --version)" -lt $RUST_MIN ]; then
    # Debian's security updates carry a Rust that is new enough for browsers, and for us.
    packages rustc-web cargo-web
    [ "$(minor /usr/bin/cargo --version)" -ge $RUST_MIN ] || die "Rust 1.$RUST_MIN or newer is needed: install it from https://rustup.rs"
    PATH="/usr/bin:$PATH"
  fi
}

# What judges the code's form, of the Rust that compiles it.
setup_lint() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  if [ "$(command -v cargo)" = /usr/bin/cargo ]; then packages rustfmt-web rust-web-clippy
  else rustup component add rustfmt clippy || die "cargo has no fmt and no clippy: please install them"; fi
}

setup_go() {
  if [ "$(minor go version)" -lt 21 ]; then
    packages golang-go
    say "fetching the $GO_TOOLCHAIN toolchain as a module"
    local empty toolchain
    empty=$(mktemp -d)
    toolchain=$(cd "$empty" && printf 'module x\n' >go.mod && /usr/bin/go mod download -json \
      "golang.org/toolchain@v0.0.1-$GO_TOOLCHAIN.linux-$(dpkg --print-architecture)" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
    [ -n "$toolchain" ] || die "Go 1.21 or newer is needed: install it from https://go.dev/dl"
    # Modules are unpacked without their execute bits.
    chmod -R u+w "$toolchain" && chmod +x "$toolchain"/bin/* "$toolchain"/pkg/tool/*/*
    PATH="$toolchain/bin:$PATH"
    rm -r "$empty"
  fi
}

setup_server() {
  local server=$KINGLET_CACHE/livekit-server-$SERVER_VERSION
  if [ ! -x "$server" ]; then
    setup_go
    say "building the LiveKit server $SERVER_VERSION (about two minutes)"
    local bin
    bin=$(mktemp -d)
    GOTOOLCHAIN=auto GOFLAGS=-mod=mod GOBIN=$bin go install "github.com/livekit/livekit-server/cmd/server@$SERVER_VERSION" \
      >target/server-build.log 2>&1 || die "the LiveKit server does not build; see target/server-build.log"
    mv "$bin/server" "$server.new" && mv "$server.new" "$server"
    rmdir "$bin"
  fi
  ln -sfn "$server" target/livekit-server
}

setup_python() {
  packages python3 python3-venv espeak-ng openssl faketime iproute2 nftables util-linux
  local venv=$KINGLET_CACHE/python-$SDK_VERSION
  if [ ! -e "$venv/ready" ]; then
    say "installing the official Python SDK $SDK_VERSION"
    rm -rf "$venv"
    { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q "livekit==$SDK_VERSION" numpy==2.2.6 pytest==8.4.2; } \
      >target/pip.log 2>&1 || die "pip could not install the SDK; see target/pip.log"
    touch "$venv/ready"
  fi
  # Reads what `ctl metrics` prints.
  if [ ! -e "$venv/ready-prometheus" ]; then
    "$venv/bin/pip" install -q prometheus_client==0.23.1 >>target/pip.log 2>&1 ||
      die "pip could not install prometheus_client; see target/pip.log"
    touch "$venv/ready-prometheus"
  fi
  ln -sfn "$venv" target/python
}

# The official framework for agents, in a Python of its own: it pins an older SDK.
setup_agents() {
  packages python3 python3-venv
  local venv=$KINGLET_CACHE/agents-$AGENTS_VERSION
  if [ ! -e "$venv/ready" ]; then
    say "installing the official framework for agents $AGENTS_VERSION"
    rm -rf "$venv"
    { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q "livekit-agents==$AGENTS_VERSION"; } \
      >target/pip-agents.log 2>&1 || die "pip could not install livekit-agents; see target/pip-agents.log"
    touch "$venv/ready"
  fi
  ln -sfn "$venv" target/agents
}

setup_plots() {
  packages python3 python3-venv
  local venv=$KINGLET_CACHE/plots-$MATPLOTLIB_VERSION
  if [ ! -e "$venv/ready" ]; then
    say "installing matplotlib $MATPLOTLIB_VERSION"
    rm -rf "$venv"
    { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q "matplotlib==$MATPLOTLIB_VERSION" numpy==2.2.6; } \
      >target/pip-plots.log 2>&1 || die "pip could not install matplotlib; see target/pip-plots.log"
    touch "$venv/ready"
  fi
  ln -sfn "$venv" target/plots
}

setup_browser() {
  command -v node >/dev/null || packages nodejs
  command -v npm >/dev/null || packages npm
  command -v chromium >/dev/null || packages chromium
  local folder=$KINGLET_CACHE/browser-$JS_SDK_VERSION-$PLAYWRIGHT_VERSION
  if [ ! -e "$folder/ready" ]; then
    say "installing the official JavaScript SDK $JS_SDK_VERSION"
    rm -rf "$folder" && mkdir -p "$folder"
    npm install --prefix "$folder" --no-fund --no-audit --ignore-scripts --save-exact \
      "livekit-client@$JS_SDK_VERSION" "playwright-core@$PLAYWRIGHT_VERSION" >target/npm.log 2>&1 ||
      die "npm could not install the JavaScript SDK; see target/npm.log"
    touch "$folder/ready"
  fi
  ln -sfn "$folder" target/browser
}
