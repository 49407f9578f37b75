#!/bin/bash
# A configuration file alone is one to serve.
set -euo pipefail

case "$1" in
*.yaml | *.yml) set -- registry serve "$@" ;;
serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
