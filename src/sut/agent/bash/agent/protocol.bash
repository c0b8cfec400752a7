# Replies and payloads: how the agent reads what the runner sends, and how it answers.

# say WORD TEXT...: sends a reply with texts.
say() {
    local line=$1 text
    shift
    for text; do line+=" ${#text}"; done
    printf '%s\n' "$line"
    printf '%s' "$@"
}

# send WORD FILE...: sends a reply with the contents of files. A file that does not exist counts as empty.
send() {
    local line=$1 file files=() size
    shift
    for file; do
        size=0
        [[ -s $file ]] && size=$(stat -L -c %s -- "$file") && files+=("$file")
        line+=" $size"
    done
    printf '%s\n' "$line"
    ((${#files[@]} == 0)) || cat -- "${files[@]}"
}

# text LENGTH: reads a payload without NUL bytes into REPLY.
text() {
    REPLY=
    (($1 == 0)) || IFS= read -r ${beat:+-t "$beat"} -N "$1" REPLY || exit 0
}

# payload LENGTH: copies a payload to stdout. The copy ends early if nothing comes for as long as the runner may be silent.
payload() {
    local copy
    [[ $beat ]] || { head -c "$1"; return; }
    head -c "$1" <&0 &
    copy=$!
    watch_copy "$copy" >/dev/null 2>&1 9>&- &
    wait "$copy"
    kill "$!"
}

# watch_copy PID: ends a process once it no longer reads anything. To wait, it reads a pipe that nobody writes to.
watch_copy() {
    local word now seen= left=3
    exec 7<> <(:)
    while IFS= read -r -t "$((beat / 3 + 1))" word <&7 || read -r word now <"/proc/$1/io"; do
        [[ $now == "$seen" ]] || left=3
        ((--left > 0)) || kill "$1"
        seen=$now
    done
}

# unpack LENGTH DIR: extracts a payload that is a tar archive. It is read to its end even if tar gives up before that.
unpack() {
    said=$(payload "$1" | {
        tar -x -p -m --no-same-owner -f - -C "$2" 2>&1
        rc=$?
        cat >/dev/null
        exit "$rc"
    })
}

# complain WHAT: an error reply that ends with the first line of what a tool said. That text is in `said` and not in a file,
# since the disk may be full. In that case the word of the reply is `full`; tar has two messages for it.
complain() {
    local why=${said%%$'\n'*} word=err
    [[ $why != *@('No space left'|'Wrote only')* ]] || word=full
    say $word "$1${why:+: $why}"
}
