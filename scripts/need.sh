#!/bin/sh
# Installs the programs that the tests need, where it may, and says what is
# missing and how to get it where it may not. Usage: need.sh PROGRAM=PACKAGE …
set -eu
missing=""
packages=""
for pair in "$@"; do
	if ! command -v "${pair%%=*}" >/dev/null 2>&1; then
		missing="$missing ${pair%%=*}"
		packages="$packages ${pair#*=}"
	fi
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing$packages (for$missing)"
	# shellcheck disable=SC2086 # the packages are words
	if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null; then
		exit 0
	fi
fi
echo "the tests need:$missing" >&2
echo "on Debian or Ubuntu: sudo apt-get install --no-install-recommends$packages" >&2
echo "elsewhere: install them by your package manager, so that they are on PATH" >&2
exit 1
