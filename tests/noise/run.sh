#!/bin/sh
# An ordinary working day, and what the stable rules say to it.
#
# Usage: tests/noise/run.sh PEREGRINE [RULES...]        (root, a Debian machine that may be changed)
#
# Packages are installed and removed, a program is compiled, jobs run, logs are rotated, somebody logs in by SSH, servers
# and databases start, containers are built and run, a backup is made. Alerts at Notice and above that come from any of it
# and are not in justified.txt (rule, a tab, words that the alert contains, a tab, the reason) make this fail.
set -u
here=$(cd "$(dirname "$0")" && pwd)
peregrine=$1
shift
[ $# -gt 0 ] || set -- "$here/../../rules/peregrine_rules.yaml"
work=$(mktemp -d)
trap 'kill $watcher 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Whatever this was started in, the day is one of the machine itself.
for group in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
  [ -w "$group" ] && echo $$ >"$group" 2>/dev/null
done

cat >"$work/peregrine.yaml" <<CONFIGURATION
rules_files: []
json_output: true
rule_matching: all
priority: notice
buffered_outputs: false
stdout_output:
  enabled: true
append_output:
  - match:
      source: syscall
    extra_fields:
      - noise: "%proc.env[PEREGRINE_NOISE]"
      - noise_above: "%proc.aenv[PEREGRINE_NOISE]"
CONFIGURATION
rules=
for file in "$@"; do rules="$rules -r $file"; done
# shellcheck disable=SC2086
"$peregrine" run -q -c "$work/peregrine.yaml" $rules >"$work/alerts" 2>"$work/errors" &
watcher=$!
sleep 5

export PEREGRINE_NOISE=1 DEBIAN_FRONTEND=noninteractive
say() { echo "== $*"; }
have() { command -v "$1" >/dev/null; }
quietly() { "$@" >"$work/out" 2>&1 || echo "   ($1 ended with $?)"; }

say packages
quietly apt-get update
quietly apt-get install -y --no-install-recommends cron logrotate openssh-server openssh-client nginx-light redis-server \
  postgresql rsync sudo man-db busybox-static gcc libc6-dev make
quietly apt-get install -y --reinstall sudo passwd
quietly apt-get remove -y --purge sl; quietly apt-get install -y sl; quietly apt-get remove -y --purge sl
quietly dpkg --verify coreutils; quietly dpkg -l

say accounts
quietly useradd -m noisy; quietly usermod -s /bin/sh noisy; quietly chage -l noisy
quietly sh -c 'echo noisy:correct-horse | chpasswd'
quietly su noisy -c 'id; ls -la ~'; quietly sudo -u noisy id

say compilation
mkdir -p "$work/src"
printf '#include <stdio.h>\nint main(void){puts("x");return 0;}\n' >"$work/src/a.c"
printf 'all: a\na: a.c\n\tcc -O2 -o a a.c\n' >"$work/src/Makefile"
quietly make -C "$work/src"; quietly "$work/src/a"
have python3 && { quietly python3 -m venv "$work/venv"; quietly python3 -m compileall -q "$work/src"; }

say jobs
printf '* * * * * root /bin/true\n' >/etc/cron.d/noisy
have cron && { quietly cron; sleep 61; }
rm -f /etc/cron.d/noisy
for script in /etc/cron.daily/*; do case $script in */apt-compat) ;; *) [ -x "$script" ] && quietly timeout 60 "$script" ;; esac; done

say logs
printf '/var/log/noisy.log {\n daily\n rotate 2\n compress\n create\n}\n' >/etc/logrotate.d/noisy
echo line >/var/log/noisy.log
quietly logrotate -f /etc/logrotate.d/noisy; quietly logrotate -f /etc/logrotate.conf
rm -f /etc/logrotate.d/noisy /var/log/noisy.log*
have journalctl && quietly journalctl --rotate

say ssh
if have sshd; then
  mkdir -p /run/sshd "$work/ssh"
  quietly ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/key"; quietly ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/host"
  cp "$work/ssh/key.pub" "$work/ssh/allowed"; chmod 700 "$work" "$work/ssh"
  /usr/sbin/sshd -p 22622 -h "$work/ssh/host" -o ListenAddress=127.0.0.1 -o StrictModes=no -o "PidFile=$work/ssh/pid" \
    -o "AuthorizedKeysFile=$work/ssh/allowed" -o PermitRootLogin=yes
  sleep 1
  log_in() { ssh -q -p 22622 -i "$work/ssh/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@"; }
  quietly log_in root@127.0.0.1 'uptime; ls /'
  quietly log_in -tt root@127.0.0.1 'tty; id'
  quietly rsync -a -e "ssh -q -p 22622 -i $work/ssh/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null" \
    "$work/src/" "root@127.0.0.1:$work/copy/"
  [ -s "$work/ssh/pid" ] && kill "$(cat "$work/ssh/pid")"
fi

say servers
if have nginx; then
  printf 'events{}\nhttp{server{listen 127.0.0.1:22680;root /usr/share/nginx/html;}}\n' >"$work/nginx.conf"
  quietly nginx -t -c "$work/nginx.conf"; nginx -c "$work/nginx.conf" -g "pid $work/nginx.pid;" >/dev/null 2>&1
  have curl && quietly curl -s http://127.0.0.1:22680/
  nginx -c "$work/nginx.conf" -g "pid $work/nginx.pid;" -s reload >/dev/null 2>&1; sleep 1
  nginx -c "$work/nginx.conf" -g "pid $work/nginx.pid;" -s quit >/dev/null 2>&1
fi
if have redis-server; then
  redis-server --port 22679 --bind 127.0.0.1 --save '' --daemonize yes --dir "$work" --pidfile "$work/redis.pid" >/dev/null
  sleep 1; quietly redis-cli -p 22679 set a b; quietly redis-cli -p 22679 bgsave; quietly redis-cli -p 22679 shutdown nosave
fi
for bin in /usr/lib/postgresql/*/bin; do
  [ -d "$bin" ] || continue
  chmod 755 "$work"; mkdir "$work/pg"; chown postgres "$work/pg"
  quietly su postgres -c "$bin/initdb -D $work/pg/data"
  quietly su postgres -c "$bin/pg_ctl -D $work/pg/data -o '-p 22632 -k $work/pg' -l $work/pg/log start"
  sleep 2; quietly su postgres -c "psql -h $work/pg -p 22632 -c 'create table t(a int)'"
  quietly su postgres -c "pg_dump -h $work/pg -p 22632 postgres"
  quietly su postgres -c "$bin/pg_ctl -D $work/pg/data stop"
done

say containers
if have docker; then
  started=
  if ! docker info >/dev/null 2>&1; then
    dockerd --data-root "$work/docker" --exec-root "$work/docker-run" -H "unix://$work/docker.sock" -p "$work/docker.pid" \
      --iptables=false --ip6tables=false --bridge=none >"$work/dockerd.log" 2>&1 &
    started=1 DOCKER_HOST="unix://$work/docker.sock"; export DOCKER_HOST
    for _ in 1 2 3 4 5 6 7 8 9 10; do docker info >/dev/null 2>&1 && break; sleep 1; done
  fi
  mkdir -p "$work/image/bin" "$work/image/etc" "$work/image/tmp"; cp /bin/busybox "$work/image/bin/"
  for applet in sh ls cat true sleep; do ln -sf busybox "$work/image/bin/$applet"; done
  quietly sh -c "tar -C $work/image -c . | docker import - noisy-base"
  printf 'FROM noisy-base\nRUN echo built >/built && cat /built\nCMD ["/bin/ls", "/"]\n' >"$work/Dockerfile"
  DOCKER_BUILDKIT=0 quietly docker build --network none -t noisy -f "$work/Dockerfile" "$work/image"
  quietly docker run --rm --network none noisy
  quietly docker run -d --name noisy-1 --network none noisy /bin/sleep 5
  quietly docker exec noisy-1 /bin/ls /; quietly docker logs noisy-1; quietly docker rm -f noisy-1
  quietly docker rmi -f noisy noisy-base
  [ -n "$started" ] && kill "$(cat "$work/docker.pid" 2>/dev/null)" 2>/dev/null && sleep 3
fi

say backups
quietly tar -C / -czf "$work/etc.tar.gz" etc/default etc/init.d; quietly rsync -a /etc/default/ "$work/default/"
quietly userdel -r noisy

sleep 3
kill -TERM $watcher; wait $watcher 2>/dev/null
python3 - "$work/alerts" "$here/justified.txt" <<'JUDGE'
import collections, json, sys

justified = [line.rstrip("\n").split("\t")[:2] for line in open(sys.argv[2]) if line.strip() and line[0] != "#"]
bad, fine = collections.Counter(), collections.Counter()
for line in open(sys.argv[1], errors="replace"):
    try:
        alert = json.loads(line)
    except ValueError:
        continue
    fields = alert.get("output_fields", {})
    if "1" not in (fields.get("noise"), fields.get("noise_above")):
        continue  # somebody else's work on this machine
    text = alert["output"]
    known = any(rule == alert["rule"] and words in text for rule, words in justified)
    (fine if known else bad)[(alert["rule"], text.split(": ", 1)[-1][:400])] += 1
for (rule, text), count in bad.most_common():
    print(f"{count} x {rule}: {text}")
print(f"{sum(bad.values())} alerts that nothing justifies, {sum(fine.values())} that are in the list")
sys.exit(1 if bad else 0)
JUDGE
