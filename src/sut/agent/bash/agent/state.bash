# The state that the runner keeps on the machine, and how it is written.

# put_state TEXT: writes the state.
put_state() {
    said=$({ printf %s "$1" >"$v/state.new" && sync -- "$v/state.new" && mv -f -- "$v/state.new" "$v/state"; } 2>&1)
}

# state LENGTH: writes a new state. A runner that writes one knows what became of the last job, so the name of that job is
# cleared. Where a test has filled the disk, the block that held this name is enough space.
agent_state() {
    local state
    text "$1"
    state=$REPLY
    put_state "$state" || { unended && [[ ! $REPLY ]] && : >"$v/unended" && put_state "$state"; } || {
        complain "cannot write \`$v/state\`"
        return
    }
    unended
    [[ ! $REPLY ]] || printf '\n' 1<>"$v/unended"
    sync -- "$v" 2>/dev/null
    say ok
}
