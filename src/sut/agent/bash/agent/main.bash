# Variables, and the loop that answers requests until stdin ends.

# serve VERB ARGUMENT…: a request.
serve() {
    [[ $1 ]] || return 0
    [[ ! $alive ]] || printf '\n' >&6
    # The tree that the request before has listed for this one.
    known=$looked looked=
    "agent_$1" "${@:2}"
    [[ ! $alive ]] || printf '\n' >&6
}

# nap: a moment, which the end of stdin ends for good. A request that comes meanwhile has its turn later.
nap() {
    local word rc
    IFS= read -r -t 0.1 word
    rc=$?
    line+=$word
    ((rc <= 128)) || return 0
    ((rc == 0)) || exit 0
    early+=("$line") line=
}

# idle: nothing came for a third of the time that the runner may be silent. As long as a job runs its wrapper listens for it.
idle() {
    lock 8 "$base/run.lock"
    if (($? != 1)); then
        # A job that was cut off is a sign of death too.
        unended
        [[ ! $REPLY ]] || ((++silence))
        ((++silence < 3)) || exit 0
    else
        silence=0
    fi
} 8<>"$base/run.lock" 2>/dev/null

# The time of last access of what nobody has read: as early as leaves no doubt.
unread=1000000000
# A list of so many KiB is of half a million files, or of directories ten thousand deep; and how one ends that writes a longer one.
longest_list=$((128 << 10)) too_long=$((128 + 25))
# What is listed of everything in a tree, as `find` prints it.
fields='%i.%s.%m.%T@\t%C@\t%p\0'
mark=.atex base= v= real= seeing= sees= kind= finds= same= known= looked= records=() mounts=() marks=() kinds=() cleared= leased= said= emptied= beat= alive= silence=0 line= early=()
declare -A strange=()
# A write that nobody reads fails; programs that are started here die of it as usual.
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
