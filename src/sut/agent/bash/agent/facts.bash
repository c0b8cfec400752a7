# The facts of the machine, as `open` and `peek` tell them.

# user: puts the name of the user into REPLY.
user() {
    local ignored uid
    while IFS=: read -r REPLY ignored uid ignored; do
        [[ $uid != "$EUID" ]] || return 0
    done </etc/passwd
    REPLY=$(id -un)
} 2>/dev/null

# lacks: puts the programs that the agent needs and that are not installed into REPLY. `script` is needed only by tests with a
# terminal.
lacks() {
    local tool
    REPLY=
    for tool in cat chmod comm cp flock head ls mkdir mv rm setsid sleep sort stat sync tar touch; do
        type -P "$tool" >/dev/null || REPLY+=", \`$tool\`"
    done
    REPLY=${REPLY#, }
    [[ $REPLY ]]
}

# agent_facts: a reply with the directory, the facts, os-release, the state, the name of a job that was cut off, and the daemons.
agent_facts() {
    local name told release=/etc/os-release state cut_off
    user
    told="user=$REPLY"$'\n'"uid=$EUID"$'\n'
    content /proc/sys/kernel/arch
    told+="arch=${REPLY:-$(uname -m)}"
    told=${told%$'\n'}$'\n'managers=
    for name in dnf5 dnf yum rpm-ostree apt-get zypper apk; do
        type -P "$name" >/dev/null && told+="$name "
    done
    [[ -e /run/ostree-booted ]] && told+=ostree-booted
    [[ -e $v/state ]] && told+=$'\n'state=kept
    # The variables that jobs find in their environment here.
    for name in PATH LANG TZ "${!LC_@}"; do
        [[ $name != LC_ALL && ${!name+is} ]] && told+=$'\n'environment.$name=${!name//$'\n'/ }
    done
    [[ ! $locale ]] || told+=$'\n'environment.LC_ALL=${locale#is}
    content /proc/sys/kernel/random/boot_id
    told+=$'\n'boot=$REPLY
    started 1
    told+=$'\n'init=$REPLY
    # Wrappers need to know the agent that holds the lease, for as long as it lives.
    started $$
    told+=$'\n'agent="$$ $REPLY"
    [[ -e $release ]] || release=/usr/lib/os-release
    content "$release"
    release=$REPLY
    content "$v/state"
    state=$REPLY
    unended
    cut_off=$REPLY
    told_daemons
    say ok "$base" "$told" "$release" "$state" "$cut_off" "$REPLY"
}

# peek DIR-LENGTH PULSE: tells what `open` tells, without taking the lease, and changes nothing.
agent_peek() {
    show_life "$2"
    text "$1" && base=$REPLY
    place
    keep_out || agent_facts
}
