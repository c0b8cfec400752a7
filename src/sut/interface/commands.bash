# tmt's commands for tests, in one text: which of them this is, its name says. Needs bash 4.2, coreutils.

# complain TEXT: says what is wrong.
complain() {
    printf '%s: %s\n' "$name" "$1" >&2
}

# quoted TEXT: a text in the quotes of YAML, in REPLY.
quoted() {
    REPLY=${1//\\/\\\\}
    REPLY=${REPLY//\"/\\\"}
    REPLY=${REPLY//$'\n'/\\n}
    REPLY=${REPLY//$'\t'/\\t}
    REPLY=\"$REPLY\"
}

# report ARGUMENT…: adds a result to the file of results.
report() {
    local words=() log= part result place restraint=${TMT_RESTRAINT_COMPATIBLE:-1}
    [[ $restraint != 1 ]] || log=${OUTPUTFILE-}
    while (($# > 0)); do
        case $1 in
            -o | --outputfile) log=$2; shift ;;
            -t | --message | -s | --server | -p | --disable-plugin | --port) shift ;;
            --no-plugins) ;;
            --help) words=(); break ;;
            --) shift; words+=("$@"); break ;;
            -?*) complain "unknown option $1"; exit 2 ;;
            *) words+=("$1") ;;
        esac
        (($# > 0)) && shift
    done
    if ((${#words[@]} < 2)); then
        printf 'Usage: %s [-o FILE] NAME RESULT [SCORE]\n' "$name"
        exit 1
    fi
    part=${words[0]%:}
    [[ $part == /* ]] || part=/$part
    [[ $part != / ]] || part=$TMT_TEST_NAME
    result=${words[1],,}
    place=${part//[\/[:space:]]/_}
    place=${place#_}
    if [[ $name == rhts-report-result ]]; then
        log=${words[2]}
        [[ -f $log ]] || { complain "there is no file ${log:-for the log}"; exit 1; }
        if [[ $restraint == 1 ]]; then place+=/resultoutputfile.log; else place+=/output.txt; fi
    elif [[ $log ]]; then
        [[ -f $log ]] || { complain "there is no file $log"; exit 1; }
        place+=/${log##*/}.txt
    fi
    if [[ $log ]]; then
        mkdir -p -- "$TMT_TEST_DATA/${place%/*}" && cat -- "$log" >>"$TMT_TEST_DATA/$place" || exit 1
    fi
    local file=$TMT_TEST_DATA/tmt-report-results.yaml item
    printf '%s: adding to the result file %s\n' "$name" "$file"
    quoted "$part"
    item="- name: $REPLY"$'\n'
    quoted "$result"
    item+="  result: $REPLY"$'\n'
    if [[ $log ]]; then
        quoted "$place"
        item+="  log: [$REPLY]"$'\n'
    fi
    item+="  end-time: \"$(date -u +%Y-%m-%dT%H:%M:%S.%6N+00:00)\""$'\n'
    printf %s "$item" >>"$file" || exit 1
}

# submit ARGUMENT…: keeps a file with the test's.
submit() {
    local file= base
    if (($# == 2)); then
        file=$2
    else
        while (($# > 0)); do
            case $1 in
                -l | --filename) file=$2; shift ;;
                -T | -s | --server | --port) shift ;;
                *) complain "unknown option $1"; exit 1 ;;
            esac
            (($# > 0)) && shift
        done
    fi
    [[ $file ]] || { complain "no file is named"; exit 1; }
    base=${file##*/}
    cp -fL -- "$file" "$TMT_TEST_DATA/$base" && printf '%s\n' "$base" >>"$TMT_TEST_SUBMITTED_FILES" || exit 1
}

# reboot ARGUMENT…: asks for a reboot and ends the test, which starts again after it. Where the machine cannot be rebooted, the test goes on to
# its end, as under tmt.
reboot() {
    local command= seconds=600 soft= option pid fields parent=$PPID callers=()
    local usage="Usage: $name [-c COMMAND] [-t SECONDS] [-s] [-e] [-h]"
    while getopts :c:t:seh option; do
        case $option in
            c) command=$OPTARG ;;
            t) seconds=$OPTARG ;;
            s) soft=yes ;;
            e) complain "-e has no effect" ;;
            h) printf '%s\n' "$usage"; exit 0 ;;
            *) printf '%s\n' "$usage" >&2; exit 1 ;;
        esac
    done
    [[ $seconds && $seconds != *[!0-9]* ]] || { printf '%s\n' "$usage" >&2; exit 1; }
    [[ $TMT_REBOOT_REQUEST ]] || { complain "works in a test only"; exit 1; }
    printf '%d\n%s\n%s' "$((10#$seconds))" "$soft" "$command" >"$TMT_REBOOT_REQUEST" || exit 1
    [[ -e ${TMT_REBOOT_REQUEST%/*}/pid ]] || { complain "this machine cannot be rebooted by a test"; exit 0; }
    read -r pid <"${TMT_REBOOT_REQUEST%/*}/pid"
    # Nothing of what called this goes on after it, whatever it does with signals.
    while ((parent > 1 && parent != pid)); do
        callers+=("$parent")
        IFS= read -r -d '' fields <"/proc/$parent/stat"
        read -r -a fields <<<"${fields##*) }"
        parent=${fields[1]:-0}
    done
    kill -s KILL "$pid" "${callers[@]}"
    sleep 60
    exit 1
}

name=${0##*/}
[[ -d ${TMT_TEST_DATA-} ]] || { complain "works in a test only"; exit 1; }
case $name in
    *-report-result) report "$@" ;;
    tmt-abort | rhts-abort | rstrnt-abort)
        : >"$TMT_TEST_DATA/abort"
        kill -TERM "$PPID"
        ;;
    *-reboot) reboot "$@" ;;
    *) submit "$@" ;;
esac
