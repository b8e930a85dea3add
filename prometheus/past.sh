#!/bin/sh
# Makes blocks of the demo bot's past, before Prometheus's first start: past.sh FOLDER DATA
#
# FOLDER holds what exporter/past.py wrote, a file a block; without any, as at each later start, there is nothing to do.
# The blocks are moved to DATA when all are made. Whatever fails, Prometheus starts, if need be without a past.
from=$1 data=$2 new=$2/past.new

make_blocks() {
  for file in "$from"/*.om; do
    promtool tsdb create-blocks-from openmetrics --max-block-duration=54h -q "$file" "$new" || return 1
    rm "$file"
  done
  mv "$new"/* "$data"
}

rm -rf "$new"
set -- "$from"/*.om
[ -e "$1" ] || exit 0
fault=$(make_blocks 2>&1) ||
  echo "The demo bot's past could not be added; all else goes on: $(echo "$fault" | tail -n 1)"
rm -rf "$new" "$from"/*.om
