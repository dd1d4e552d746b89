#!/bin/bash
# postgres.sh DIRECTORY [OPTION...]: runs a PostgreSQL server for the tests, on a socket.
# OPTIONs are the server's, such as -cfsync=on: by default it does not wait for the disk. If DIRECTORY/tls.pem holds a
# certificate and its key, the server speaks TLS.
#
# As soon as the server answers, DIRECTORY/ready names the folder of its socket, and the script prints that name.
# A test holds a shared lock on DIRECTORY/users while it uses the server, and a lock on DIRECTORY/start while it looks
# whether a server runs. The server ends when no test has used it for some seconds.
set -euo pipefail
directory=$1
shift
# Take the newest version that Debian installed, or the one in PATH.
for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    PATH=$bin:$PATH
    break
done
home=$(mktemp -d /tmp/netcensus-postgres.XXXXXX)
as=()
if [ "$(id -u)" = 0 ]; then # the server refuses to run as root
    id postgres >/dev/null
    chown postgres "$home"
    as=(setpriv --reuid=postgres --regid="$(id -g postgres)" --clear-groups)
fi
cd /
if [ -e "$directory/tls.pem" ]; then # the server must own the file with its key
    install -m 600 ${as:+-o postgres} "$directory/tls.pem" "$home/tls.pem"
    set -- -cssl=on -cssl_cert_file="$home/tls.pem" -cssl_key_file="$home/tls.pem" "$@"
fi
stop() {
    rm -f "$directory/ready"
    [ -z "${server:-}" ] || kill -QUIT "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$home"
}
trap stop EXIT
"${as[@]}" initdb --pgdata="$home/data" --auth=trust --username=postgres --no-sync --encoding=UTF8 \
    --locale=C.UTF-8 >"$directory/log" 2>&1
"${as[@]}" postgres -D "$home/data" -k "$home" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c max_connections=300 -c shared_buffers=64MB "$@" >>"$directory/log" 2>&1 &
server=$!
until psql -qAt -h "$home" -U postgres -c 'SELECT 1' postgres >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.1
done
echo "$home" >"$directory/ready.new"
mv "$directory/ready.new" "$directory/ready"
echo "$home" # the caller waits for this line
exec >/dev/null
exec 8>>"$directory/start" 9>>"$directory/users"
idle=0
while kill -0 "$server" 2>/dev/null; do
    sleep 1
    if flock --nonblock --exclusive 9; then
        flock --unlock 9
        idle=$((idle + 1))
    else
        idle=0
    fi
    if [ $idle -ge 6 ] && flock --nonblock --exclusive 8; then
        # No test can begin to use it now. End, if none began just before.
        flock --nonblock --exclusive 9 && exit 0
        flock --unlock 8
    fi
done
