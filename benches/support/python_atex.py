"""Runs one test with the Python package `atex`, from 1.0 on, for the benchmark beside it.

python_atex.py TREE PLAN TEST PORT USER KEY KNOWN_HOSTS WORK_DIR OUT
"""

import sys
from pathlib import Path

from atex.connection.ssh import ManagedSSHConnection
from atex.executor.fmf import FMFExecutor, discover

tree, plan, test, port, user, key, known_hosts, work_dir, out = sys.argv[1:]
options = {
    "Hostname": "127.0.0.1",
    "Port": port,
    "User": user,
    "IdentityFile": key,
    "IdentitiesOnly": "yes",
    "UserKnownHostsFile": known_hosts,
    "StrictHostKeyChecking": "yes",
}
with ManagedSSHConnection(options) as connection:
    with FMFExecutor(connection, discover(tree, plan), work_dir_base=work_dir) as executor:
        Path(out).mkdir()
        code = executor.run_test(test, Path(out))
sys.exit(code)
