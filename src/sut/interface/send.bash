# Sends files to the runner over the control stream, which is descriptor 7. Needs bash 4.2, coreutils.

# Ends the job as one that cannot be run: the runner knows no such word.
cannot() {
    printf 'cannot %s\n' "$1" >&7
    exit 1
}

# files DIRECTORY: adds all regular files below a directory to `found`, but follows no link. One that cannot be read may hold a result.
files() {
    local entry
    [[ -d $1 && ! -L $1 && -r $1 && -x $1 ]] || cannot "read $1"
    for entry in "$1"/*; do
        if [[ -L $entry ]]; then
            continue
        elif [[ -d $entry ]]; then
            files "$entry"
        elif [[ -f $entry ]]; then
            [[ -r $entry ]] || cannot "read $entry"
            found+=("$entry")
        fi
    done
}

# json NAME: makes the text of a name for JSON of it in REPLY. What is no UTF-8 is taken for Latin-1.
json() {
    local text=${1//\\/\\\\} char code at
    local utf8=$'^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$'
    text=${text//\"/\\\"}
    REPLY=$text
    [[ $text == *[!\ -~]* ]] || return
    local is_utf8=
    [[ $text =~ $utf8 ]] && is_utf8=yes
    REPLY=
    for ((at = 0; at < ${#text}; at++)); do
        char=${text:at:1}
        printf -v code %d "'$char"
        ((code &= 255))
        if ((code < 32 || code == 127)) || { ((code > 127)) && [[ ! $is_utf8 ]]; }; then
            printf -v char '\\u%04x' "$code"
        fi
        REPLY+=$char
    done
}

# send_file FILE NAME: sends a file, to lie under a name. One that changes meanwhile still has the length that was told.
send_file() {
    local length LC_ALL=C
    length=$(stat -c %s -- "$1") && [[ $length ]] || cannot "read $1"
    json "$2"
    REPLY="{\"partial\":true,\"files\":[{\"name\":\"$REPLY\",\"length\":$length}]}"
    printf 'result %d\n%s' "${#REPLY}" "$REPLY" >&7 || return
    ((length == 0)) || { cat -- "$1"; head -c "$length" /dev/zero; } 2>/dev/null 7>&- | head -c "$length" >&7
}

# send DIRECTORY NAME: sends all files below a directory, to lie under a name.
send() {
    local found=() file
    files "$1"
    for file in "${found[@]}"; do
        send_file "$file" "$2${file#"$1"}" || return
    done
}
