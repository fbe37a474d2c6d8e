#!/bin/sh
# The demo: makes a release of tests/app, starts its API twice and the edge, says where to look, and ends all on Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
port="${PORT:-8787}"
rimward=target/release/rimward

# Whoever purges has to say it: another one for each run, unless you say which.
RIMWARD_PURGE_SECRET="${RIMWARD_PURGE_SECRET:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}"
export RIMWARD_PURGE_SECRET

echo "Making a release of tests/app"
"$rimward" build

node tests/app/api.mjs --port 8790 &
api=$!
node tests/app/api.mjs --port 8791 &
other=$!
"$rimward" serve --port "$port" &
edge=$!
stop() {
    trap - INT TERM EXIT
    kill "$edge" "$api" "$other" 2> /dev/null || true
    wait "$edge" "$api" "$other" 2> /dev/null || true
}
trap 'stop; exit 0' INT TERM
trap stop EXIT

if ! node --input-type=module -e '
    const until = Date.now() + 10000;
    while (Date.now() < until) {
        if (await fetch(process.argv[1]).then((answer) => answer.ok, () => false)) process.exit(0);
        await new Promise((again) => setTimeout(again, 50));
    }
    process.exit(1);
' "http://127.0.0.1:$port/.rimward/health"; then
    echo "error: the edge did not answer on port $port" >&2
    exit 1
fi
cat << END

  The shop         http://localhost:$port/
  How it is doing  http://localhost:$port/status
  Its API          http://localhost:$port/api/products
  Health           http://localhost:$port/.rimward/health

  What the cache did is in Cache-Status, and in the last column of /status; ask twice, and again after ten seconds:
      curl -sD - -o /dev/null http://localhost:$port/api/products | grep -i cache-status
  Purge what is tagged with a product, or with all of them, and ask again:
      RIMWARD_PURGE_SECRET=$RIMWARD_PURGE_SECRET $rimward purge --to http://localhost:$port --tag products
  Two processes are the API. Kill one, and the shop goes on as before, orders and live stock too:
      kill $api
  Kill the other one too, and it goes on with what the cache has:
      kill $other
  Start them again:
      node tests/app/api.mjs --port 8790 & node tests/app/api.mjs --port 8791 &
  Guess the password eleven times; the last try is refused, and told when to come back:
      for try in 1 2 3 4 5 6 7 8 9 10 11; do curl -s -o /dev/null -w '%{http_code} %header{ratelimit}\n' -d '{"password":"x"}' http://localhost:$port/api/login; done
  Ask for everything that visitors will ask for:                 $rimward warm --to http://localhost:$port

  Change something in tests/app/src, run \`npm run build\` there and \`$rimward build\` here: tabs that are open go on.
  Ctrl-C ends it.
END
wait "$edge"
