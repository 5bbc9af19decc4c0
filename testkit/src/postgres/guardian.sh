# Ends a PostgreSQL server and removes its folder when its owner closes the pipe or dies.
# $1: the folder, with the cluster in `data`. Standard input: a pipe that the owner holds open.
read -r _
data=$1/data
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)

# Whether a process exists and is not a zombie.
runs() { [ -e "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# The process id may have been reused: end the process only if it is a server of this cluster.
if [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$data"; then
    kill -s CONT "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null
    kill -s QUIT "$pid"
    tries=0
    while runs "$pid"; do
        tries=$((tries + 1))
        [ "$tries" -lt 1000 ] || kill -s KILL "$pid"
        sleep 0.01
    done
fi

# A killed server leaves its lock file, which contains the id of its shared memory.
shared_memory=$(sed -n 7p "$data/postmaster.pid" 2>/dev/null)
[ -z "$shared_memory" ] || ipcrm -m "${shared_memory##* }" 2>/dev/null
rm -rf "$1"
