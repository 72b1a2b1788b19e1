# Sourced after tests/lib/setup.sh: how this machine builds for an ARM board and runs what it built.
#
#   Debian packages ─► rustc-web + rust-web-src (the standard library is built too) ─┐
#                      cross gcc (C of Opus and aws-lc, linking) ────────────────────┼─► target/cross/TRIPLE
#   mmdebstrap ──────► target/cross/sysroot-ARCH (the device's libc and ALSA) ───────┘
#
# Nothing of rustup, no foreign architecture in this machine's dpkg (which can break its apt), no registry but Debian's
# and crates.io. The sysroot is that of bookworm, so what is built runs on bookworm and newer.

CROSS=$PWD/target/cross
CROSS_SUITE=bookworm

setup_cross() {
  [ "$(uname -m)" = x86_64 ] && grep -q "^VERSION_CODENAME=$CROSS_SUITE\$" /etc/os-release ||
    die "cross builds are made on x86_64 and Debian 12; for others see cross/README.md"
  packages rustc-web cargo-web rust-web-src gcc libc6-dev make cmake pkg-config mmdebstrap qemu-user qemu-user-static \
    gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf
  mkdir -p "$CROSS"
}

# use_target aarch64|armv7: from here on cross_build, cross_run and $triple, $arch, $sysroot are for this target.
use_target() {
  case $1 in
  aarch64) arch=arm64 triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu qemu=qemu-aarch64 ;;
  armv7) arch=armhf triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf qemu=qemu-arm ;;
  *) die "no such target: $1 (aarch64, armv7)" ;;
  esac
  sysroot=$CROSS/sysroot-$arch
  make_sysroot
  # The sysroot's libc.so is a linker script with absolute paths, which only --sysroot makes relative. The path of the
  # linker is part of what cargo compares: it stays the same.
  printf '#!/bin/sh\nexec %s-gcc --sysroot=%s "$@"\n' $gnu "$sysroot" >"$CROSS/ld-$arch.new"
  chmod +x "$CROSS/ld-$arch.new"
  cmp -s "$CROSS/ld-$arch.new" "$CROSS/ld-$arch" || cp -p "$CROSS/ld-$arch.new" "$CROSS/ld-$arch"
  local name=${triple//-/_}
  export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR=$sysroot PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$gnu/pkgconfig
  export "CARGO_TARGET_${name^^}_LINKER=$CROSS/ld-$arch" "CARGO_TARGET_${name^^}_RUNNER=$qemu-static -L $sysroot"
  # A panic ends the program: tables to unwind by would be a tenth of it, and nobody would read them.
  export "CARGO_TARGET_${name^^}_RUSTFLAGS=-Cforce-unwind-tables=no"
  # C, too, is compiled against the device's headers. Debian's armhf compiler assumes a processor without NEON, and
  # libopus does not ask for it where it compiles its NEON files. Every board with an ARMv7 that we know has it.
  export "CFLAGS_$name=--sysroot=$sysroot$([ $arch = armhf ] && echo ' -mfpu=neon' || :)"
}

# Unpacked packages, set up by nobody.
make_sysroot() {
  [ -e "$sysroot/ready" ] && return
  say "unpacking the libraries of a $CROSS_SUITE $arch device"
  rm -rf "$sysroot"
  debian_sources >"$CROSS/sources.list"
  [ -s "$CROSS/sources.list" ] || die "apt knows no Debian mirror of $CROSS_SUITE"
  mmdebstrap --quiet --variant=extract --architectures=$arch --include=libc6-dev,libgcc-s1,libasound2-dev \
    --dpkgopt='path-exclude=/usr/share/doc/*' $CROSS_SUITE "$sysroot" "$CROSS/sources.list" >"$CROSS/sysroot.log" 2>&1 ||
    die "no sysroot for $arch; see target/cross/sysroot.log"
  # An absolute link would lead out of the sysroot.
  find "$sysroot" -type l -lname '/*' | while read -r link; do
    aim=$sysroot$(readlink "$link")
    if [ -e "$aim" ]; then ln -sfnr "$aim" "$link"; fi
  done
  touch "$sysroot/ready"
}

# The mirrors that this machine itself uses, whatever the format of its sources. Not security's: its armhf index has been
# out of step with its Release file for weeks at a time, and what is linked against does not change in an update.
debian_sources() {
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' | sort -u |
    awk -v suite=$CROSS_SUITE '$3 == "main" && $2 ~ "^" suite "(-updates)?$" {print "deb", $1, $2, $3}'
}

# cross_build --bin NAME, or --example NAME: one program.
#
# Debian's cargo and compiler by their paths: a rustup in PATH, with or without this target, is not asked. The program
# keeps its symbols, for profiles and for what comes back from the field; what is shipped is stripped afterwards. The last
# step, which makes one program of all crates, is at level 3: only there loops become vector instructions, and only in
# crates that are not to be small (cross/README.md).
cross_build() {
  CARGO_PROFILE_RELEASE_STRIP=none RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo rustc --release --locked \
    --target $triple --target-dir "$CROSS" -Zbuild-std=std,panic_abort "$@" -- -Copt-level=3
}

cross_run() { $qemu-static -L "$sysroot" "$@"; }
