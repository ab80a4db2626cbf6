# The first process of a host, in its own namespaces; bash, read by `bash -c`.
# Its end is the host's end. $1 the host's folder, $2 the root file system, $3
# the host's name, $4 its address, $5 the registry's address, $6 the control
# group of its containers. A line on its standard input says that eth0 is there.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

mount --make-rprivate /
cd "$1"
mkdir upper work root docker containerd
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys # of this network namespace
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
# Images don't go on an overlay: an overlay can't be the upper layer of another.
mkdir -p var/lib/docker var/lib/containerd
mount --bind ../docker var/lib/docker
mount --bind ../containerd var/lib/containerd
# A chroot alone would not do: dockerd makes "/" private, so it has to be where
# something is mounted.
pivot_root . mnt
cd /
umount -l mnt

hostname "$3"
# sudo looks its own host up, and waits 20 s for a name that nobody knows.
printf '127.0.0.1 localhost\n%s %s\n' "$4" "$3" >/etc/hosts
: >/etc/resolv.conf
mkdir -p /run/sshd /run/lock /etc/docker
features=
if [ -e /etc/rollbackbot-containerd-store ]; then features=', "features": {"containerd-snapshotter": true}'; fi
printf '{"insecure-registries": ["%s"], "registry-mirrors": ["http://%s"], "cgroup-parent": "%s"%s}\n' "$5" "$5" "$6" "$features" >/etc/docker/daemon.json
# Their numbers are none that useradd gives: the kernel knows no user of a host
# alone, and who ends all processes of an account elsewhere would end these.
uid=61000
for account in deploy ci; do
	id "$account" >/dev/null 2>&1 || useradd --uid "$uid" --create-home --shell /bin/bash "$account"
	uid=$((uid + 1))
	# Without PAM sshd refuses an account whose password is locked, "!".
	usermod --password '*' "$account"
done
usermod --append --groups docker deploy
cat >/etc/ssh/sshd_config <<'CONFIG'
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
AcceptEnv LANG LC_*
MaxStartups 100
Subsystem sftp /usr/lib/openssh/sftp-server
CONFIG
ip link set lo up
read -r _
ip addr add "$4/16" dev eth0
ip link set eth0 up
/usr/sbin/sshd -E /var/log/sshd.log
# As Debian's units do it; and dockerd gives a containerd of its own 15 s to
# start, which is too little on a machine that is starved.
again() {
	while :; do
		"$@" >>"/var/log/$1.log" 2>&1 </dev/null || true
		sleep 0.2
	done
}
again containerd &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
again dockerd --containerd /run/containerd/containerd.sock
