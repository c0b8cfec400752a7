# ssh-pool FILE [OPTION OF SSH…]: a provisioner of atex that hands out the hosts of a file.
#
# Each line of FILE is a target of the kind ssh, and after a `|` the command that starts the host anew, which runs on this
# host. A host is claimed by a lock on the host itself, which a process there holds as long as the connection lasts. So a claim
# ends with whoever made it, whatever happens to them, and no two users get one host.

set -u
file=${1-} options=("${@:2}")
# How long to wait until all hosts are tried again, how long a host may take to answer, and how often it is tried after it was
# started anew.
nap=5 answer=20 tries=60
target='' recovery='' claim=''

text() { # as a JSON string
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//[[:cntrl:]]/ }"
}
wait_for() { printf '{"wait":%s}\n' "$(text "$1")"; }
fail() { printf '{"error":%s}\n' "$(text "$1")"; }

# Sets `words`, the words that lead to a target, and `lock`, the file of its lock there.
way_to() {
    local machine=${1%%\?*} query='' pair port=''
    [[ $1 == *\?* ]] && query=${1#*\?}
    machine=${machine#ssh://} machine=${machine%/}
    words=(ssh -o BatchMode=yes -o ConnectTimeout="$answer" -o ServerAliveInterval=15 "${options[@]}")
    lock=/var/tmp/atex-ssh-pool.lock
    if [[ $machine =~ ^(.*[^:]):([0-9]+)$ ]]; then
        machine=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
    fi
    local IFS='&'
    for pair in $query; do
        case $pair in
        key=*) pair=${pair#key=} && words+=(-i "${pair/#\~\//$HOME/}") ;;
        user=*) words+=(-l "${pair#user=}") ;;
        port=*) port=${pair#port=} ;;
        dir=*) lock=${pair#dir=}.lock ;;
        esac
    done
    [[ $port ]] && words+=(-p "$port")
    words+=(-- "$machine")
}

# Claims a host. Returns 1 where somebody else has it, and 2 where it does not answer.
claim_host() {
    local words lock word='' quoted
    way_to "$1"
    printf -v quoted %q "$lock"
    # The output of flock tells whether it has the lock; the lock is free when the input of `cat` ends.
    coproc CLAIM { exec "${words[@]}" "flock -n -E 9 $quoted sh -c 'echo claimed; exec cat' || echo taken \$?"; }
    claim=$CLAIM_PID
    read -r -t "$answer" -u "${CLAIM[0]}" word
    case $word in
    claimed) return 0 ;;
    'taken 9') release_claim && return 1 ;;
    *) release_claim && return 2 ;;
    esac
}

release_claim() {
    [[ $claim ]] || return 0
    kill "$claim" 2>/dev/null
    wait "$claim" 2>/dev/null
    claim=''
}

# Runs the command that starts the host anew.
recover() {
    local pid
    bash -c "$recovery" </dev/null >&2 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        wait_for "$target is started anew"
        sleep 1
    done
    wait "$pid"
}

provision() {
    local line silent used
    while :; do
        [[ -r $file ]] || { fail "cannot read the file of hosts $file" && return; }
        silent='' used=0
        while IFS= read -r line <&3; do
            line=${line%%#*}
            target=${line%%|*} recovery=''
            [[ $line == *\|* ]] && recovery=${line#*|}
            target=${target//[[:space:]]/}
            [[ $target ]] || continue
            claim_host "$target" 3<&-
            case $? in
            0)
                printf '{"target":%s,"can":[%s]}\n' "$(text "$target")" "${recovery:+\"power-cycle\"}"
                return
                ;;
            1) used=$((used + 1)) ;;
            *) silent+=" $target" ;;
            esac
            wait_for "$target is not free"
        done 3< <(shuf -- "$file")
        target=''
        if ((used == 0)); then
            fail "no host of $file answers:${silent:- it names none}"
            return
        fi
        wait_for "all hosts are used ($used)${silent:+, or do not answer:$silent}"
        # Whoever asks has gone where the input ends meanwhile; nothing else comes before the answer.
        read -r -t "$nap"
        (($? > 128)) || exit 0
    done
}

power_cycle() {
    [[ $target && $recovery ]] || { fail 'no command starts it anew' && return; }
    release_claim
    recover || { fail "the command that starts $target anew failed" && return; }
    local try
    for ((try = 0; try < tries; try++)); do
        claim_host "$target" && printf '{"done":true}\n' && return
        wait_for "$target was started anew and does not answer yet"
        sleep "$nap"
    done
    fail "$target does not answer after it was started anew"
}

while IFS= read -r line; do
    case $line in
    '{"request":"provision"'*) provision ;;
    '{"request":"power-cycle"'*) power_cycle ;;
    '{"request":"release"'*)
        # A host that made trouble is started anew before anybody else gets it.
        if [[ $target && $recovery && $line == *',"trouble":'* ]] && ! recover; then
            fail "the command that starts $target anew failed"
        else
            printf '{"done":true}\n'
        fi
        release_claim
        target=''
        ;;
    *) fail 'this cannot be done' ;;
    esac
done
release_claim
