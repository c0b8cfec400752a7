# The agent's variables, and the loop that answers requests until stdin ends.

# serve VERB ARGUMENT...: answers a request.
serve() {
    [[ $1 ]] || return 0
    [[ ! $alive ]] || printf '\n' >&6
    # The slot whose tree the previous request has listed for this one.
    known=$looked looked=
    "agent_$1" "${@:2}"
    [[ ! $alive ]] || printf '\n' >&6
}

# nap: waits a moment, and exits when stdin ends. A request that arrives meanwhile is answered later.
nap() {
    local word rc
    IFS= read -r -t 0.1 word
    rc=$?
    line+=$word
    ((rc <= 128)) || return 0
    ((rc == 0)) || exit 0
    early+=("$line") line=
}

# idle: is called when nothing came for a third of the time for which the runner may be silent. While a job runs, its wrapper
# watches the runner.
idle() {
    lock 8 "$base/run.lock"
    if (($? != 1)); then
        # A job that was cut off is another sign that the runner is dead.
        unended
        [[ ! $REPLY ]] || ((++silence))
        ((++silence < 3)) || exit 0
    else
        silence=0
    fi
} 8<>"$base/run.lock" 2>/dev/null

# The time of last access that marks a file as unread: so early that there can be no doubt.
unread=1000000000
# The longest list in KiB, enough for half a million files, or for directories ten thousand deep; and the exit code of a
# process that writes a longer one (128 + SIGXFSZ).
longest_list=$((128 << 10)) too_long=$((128 + 25))
# What is listed of everything in a tree, in the format of `find`.
fields='%i.%s.%m.%T@\t%C@\t%p\0'
mark=.atex base= v= id= before= real= seeing= sees= kind= finds= same= known= looked= records=() mounts=() found=() marks=() kinds=() cleared= leased= said= emptied= beat= alive= silence=0 line= early=()
declare -A strange=()
# A write that nobody reads then fails without ending this shell. Programs that are started here still die of SIGPIPE, as
# usual.
trap : PIPE
IFS= read -r marker && printf '%s\n' "$marker"
while :; do
    if ((${#early[@]})); then
        request=(${early[0]}) early=("${early[@]:1}")
        serve "${request[@]}"
        continue
    fi
    IFS= read -r ${beat:+-t "$((beat / 3 + 1))"} word
    rc=$?
    line+=$word
    if ((rc > 128)); then
        idle
    elif ((rc == 0)); then
        request=($line) line= silence=0
        serve "${request[@]}"
    else
        exit 0
    fi
done
