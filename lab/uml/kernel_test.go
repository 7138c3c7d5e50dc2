//go:build kernel

package uml_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTheProgramIsRoot(t *testing.T) {
	if uid := os.Getuid(); uid != 0 {
		t.Errorf("uid %d, want 0", uid)
	}
}

func TestTheKernelHasIPVS(t *testing.T) {
	for _, file := range []string{"/proc/net/ip_vs", "/proc/sys/net/ipv4/vs/conn_reuse_mode"} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatWorksInAGuest(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"every scheduler but twos", `for s in rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq; do
			ipvsadm -A -t 192.0.2.1:80 -s $s; ipvsadm -Sn; ipvsadm -D -t 192.0.2.1:80; done | cut -d' ' -f5 | paste -sd' '`,
			"rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq"},
		{"IPVS of a namespace is its own", `ip netns add a; ip netns exec a ipvsadm -A -t 192.0.2.1:80 -s rr; ipvsadm -Sn; ip netns exec a ipvsadm -Sn; ip netns del a`,
			"-A -t 192.0.2.1:80 -s rr"},
		{"namespaces tied by veth pairs reach each other", `ip netns add a; ip netns add b
			ip -n a link add e0 type veth peer name e0 netns b
			ip -n a addr add 192.0.2.1/24 dev e0; ip -n a link set e0 up
			ip -n b addr add 192.0.2.2/24 dev e0; ip -n b link set e0 up
			ip netns exec a ping -c 1 -W 2 192.0.2.2 | grep -o '1 received'; ip netns del a; ip netns del b`,
			"1 received"},
		{"kinds of device come when they are asked for", `ip link add x type dummy; ip link add z type nlmon; ip link del z; ip link add z type vrf table 10; ip link del z
			ip link add y link x type macvlan; tc qdisc add dev x root tbf rate 1mbit burst 10kb latency 10ms; tc qdisc show dev x | cut -d' ' -f2; ip link del x`,
			"tbf"},
		{"lo is up", `ping -c 1 -W 2 127.0.0.1 | grep -o '1 received'; ping -c 1 -W 2 ::1 | grep -o '1 received'`, "1 received\n1 received"},
		{"the tools run", `for t in ip ipvsadm tcpdump dig curl ping; do command -v $t >/dev/null || echo $t; done
			dig -v 2>&1 | cut -d' ' -f1; curl --version | cut -d' ' -f1 | head -1; tcpdump --version 2>&1 | cut -d' ' -f1 | head -1`,
			"DiG\ncurl\ntcpdump"},
		{"packets can be captured", `ip netns add a; ip -n a link set lo up; cd /root; ip netns exec a tcpdump -nn -i lo --immediate-mode -c 1 -w a.pcap icmp 2>/dev/null &
			until ip netns exec a sh -c 'test $(wc -l < /proc/net/packet) -gt 1'; do sleep 0.05; done
			ip netns exec a ping -c 1 127.0.0.1 >/dev/null; wait; tcpdump -nn -r /root/a.pcap 2>/dev/null | grep -o 'ICMP echo request'; ip netns del a`,
			"ICMP echo request"},
		{"many files may be open", "ulimit -n", "65536"},
		{"devices of every program", `echo a | tee /dev/stderr 2>/dev/null >/dev/null; test -c /dev/null -a -c /dev/zero -a -c /dev/urandom -a -c /dev/ptmx; echo b | cat /dev/fd/0`, "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := exec.Command("sh", "-euc", test.script).CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
				t.Errorf("%v\nwant %q\ngot  %q", err, test.want, got)
			}
		})
	}
}

func TestEveryFolderCanBeWritten(t *testing.T) {
	for _, dir := range []string{"/", "/etc", "/usr/bin", "/var/lib", "/run", "/dev/shm", "/tmp", t.TempDir(), "."} {
		file := filepath.Join(dir, "uml-kernel-test")
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Error(err)
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "x" {
			t.Errorf("%s: read %q, %v after writing x", file, got, err)
		}
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func TestTheTestSeesItsFiles(t *testing.T) {
	if _, err := os.Stat("kernel_test.go"); err != nil {
		t.Error(err)
	}
}

func TestRandomBytesDoNotWait(t *testing.T) {
	start := time.Now()
	if _, err := rand.Read(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Getrandom(make([]byte, 16), unix.GRND_NONBLOCK|unix.GRND_RANDOM); err != nil {
		t.Errorf("getrandom: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("64 KB of random bytes took %v", d)
	}
}

func TestTheClockRuns(t *testing.T) {
	start := time.Now()
	time.Sleep(50 * time.Millisecond)
	if d := time.Since(start); d < 50*time.Millisecond || d > time.Second {
		t.Errorf("a sleep of 50ms took %v", d)
	}
}
