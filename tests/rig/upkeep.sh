#!/usr/bin/env bash
# In the guest, with systemd: what becomes of a box over the years. Its package is installed, updated, removed, installed
# again and purged; its file is wrong and mended; its keyboard comes and goes; a program takes all memory.
#
#   upkeep.sh PACKAGE FOLDER
#
# The box lives in the guest's own network, 10.9.0.2; the server and the flat, another kinglet, in networks of their own.
# What happens is told line by line by upkeep.py.
set -uo pipefail
package=$1 folder=$2
. tests/rig/network.sh
# The flat has a program of its own: the package's comes and goes.
cp "${KINGLET_BINARY:-target/release/kinglet}" /run/flat-kinglet

# The next version is the same program by another number.
dpkg-deb -R "$package" /tmp/next
version=$(sed -n 's/^Version: //p' /tmp/next/DEBIAN/control).1
sed -i "s/^Version: .*/Version: $version/" /tmp/next/DEBIAN/control
dpkg-deb -Znone --build /tmp/next /tmp/next.deb >/dev/null

rig lines GPIO26
udevadm settle

target/python/bin/python tests/rig/upkeep.py "$folder" "$package" /tmp/next.deb "$version"
end $?
