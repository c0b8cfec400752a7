#!/bin/bash
# A result for the test itself (it has no name), with a file whose bytes follow the JSON.
uname -a > os.txt
size=$(stat -c %s os.txt)
json='{"status":"pass","note":"see os.txt","files":[{"name":"os.txt","length":'$size'}],"testout":"output.txt"}'
{ printf 'result %d\n%s' "${#json}" "$json"; cat os.txt; } >&"$ATEX_TEST_CONTROL"
