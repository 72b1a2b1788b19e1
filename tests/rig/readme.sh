# Sourced in the guest: the README's own examples, so that what it tells people is what runs here.
#
#   block HEADING KIND N      the Nth ```KIND block under the heading "## HEADING"
#   sudo COMMAND...           there is nobody else on the board than root

block() {
  awk -v heading="## $1" -v opens="\`\`\`$2" -v number="$3" '
    /^## / { inside = $0 == heading; count = 0; next }
    inside && $0 == opens { printing = ++count == number; next }
    $0 == "```" { printing = 0 }
    inside && printing' README.md
}

sudo() { "$@"; }
