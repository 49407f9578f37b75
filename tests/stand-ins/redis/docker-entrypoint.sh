#!/bin/bash
# Options alone are options of redis-server. As root: hands the data to the server's user and becomes that user.
set -euo pipefail

[[ $1 == -* || $1 == *.conf ]] && set -- redis-server "$@"
if [[ $1 == redis-server ]]; then
    if [[ $(id -u) == 0 ]]; then
        find . ! -user redis -exec chown redis {} +
        exec setpriv --reuid redis --regid redis --init-groups "$0" "$@"
    fi
    # The official image's server is compiled without it: containers reach each other from other addresses.
    set -- "$@" --protected-mode no
fi
exec "$@"
