# Sourced by the benches that need a network between their processes: two namespaces of this machine, `PREFIX-server` and
# `PREFIX-client`, with two links between them.
#
#   198.18.0.1 - 198.18.0.2   packets of 1,500 bytes. What is handed to the kernel in one piece is cut before it gets to
#                             the link, as before a card that does not cut, and nothing is put together on arrival
#   198.19.0.1 - 198.19.0.2   the same through `wire`: 5 ms and 1 % of the packets lost each way
#
# The server has the first address of each. All of it is gone when the script has ended.

# network_missing: what this machine lacks for it, in words; nothing if it has all.
network_missing() {
    ((EUID == 0)) || { echo 'root, to make network namespaces' && return; }
    command -v ip >/dev/null || { echo '`ip` (Debian: iproute2)' && return; }
    command -v ethtool >/dev/null || { echo '`ethtool` (Debian: ethtool)' && return; }
    [[ -c /dev/net/tun ]] || { echo '/dev/net/tun' && return; }
    unshare --net true 2>/dev/null || echo 'the right to make network namespaces'
}

# network_up PREFIX WIRE: WIRE is the program of that name.
network_up() {
    local prefix=$1 wire=$2 side
    trap "network_down $prefix" EXIT
    for side in server client wire; do
        ip netns add "$prefix-$side"
        ip -n "$prefix-$side" link set lo up
    done
    ip -n "$prefix-server" link add link0 type veth peer name link0 netns "$prefix-client"
    for side in server client; do
        ip netns exec "$prefix-$side" ethtool -K link0 tso off tx-udp-segmentation off gro off >/dev/null
    done
    # It ends when its standard input does, so with this script, however that ends.
    coproc WIRE { exec ip netns exec "$prefix-wire" "$wire" to-server to-client 5 1; }
    local said
    read -r said <&"${WIRE[0]}" && [[ $said == ready ]] || { echo 'wire: it is not ready' >&2 && return 1; }
    for side in server client; do
        ip -n "$prefix-wire" link set "to-$side" netns "$prefix-$side"
        # A burst must not find the device full: only what is meant to be lost is.
        ip -n "$prefix-$side" link set "to-$side" txqueuelen 10000 up
        ip -n "$prefix-$side" link set link0 up
    done
    ip -n "$prefix-server" address add 198.18.0.1/30 dev link0
    ip -n "$prefix-client" address add 198.18.0.2/30 dev link0
    ip -n "$prefix-server" address add 198.19.0.1/30 dev to-server
    ip -n "$prefix-client" address add 198.19.0.2/30 dev to-client
}

network_down() {
    local side
    if [[ -n ${WIRE_PID-} ]]; then
        # It says how many packets there were.
        exec {WIRE[1]}>&-
        wait "$WIRE_PID" || true
    fi
    for side in server client wire; do ip netns delete "$1-$side" 2>/dev/null || true; done
}
