#!/bin/bash
# As root: hands the data to the server's user and becomes that user.
set -euo pipefail

if [[ $1 == rabbitmq* && $(id -u) == 0 ]]; then
    find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq {} +
    exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0" "$@"
fi
exec "$@"
