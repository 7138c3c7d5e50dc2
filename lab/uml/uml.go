// Package uml carries a program into user-mode Linux: a Linux kernel that is an ordinary process of an ordinary user, with the IPVS and
// the namespaces that the kernel at hand may lack or forbid. The lab and the kernel tests run there.
//
// [Ensure] finds or fetches what is needed, [Kit.Run] carries one program in and its output and exit status out, and [Init] is the
// guest's side, called first by every main that may find itself there:
//
//	func main() {
//		uml.Init()
//		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
//	}
//
// The guest sees the host's files at their own places. It may write anywhere; nothing of it reaches the host but the folders named in
// [Command.Writable]. It has no network but what is made inside, one processor, and root's rights in it. A program built with -race
// cannot run there.
//
// The package refuses to need root, and to leave anything behind: when Run returns, or the process that called it dies in whatever
// way, the guest is gone with all its processes, and after Run has returned its files are too.
package uml

import "fmt"

// Killed is the error of a program that a signal ended.
type Killed struct {
	Path   string
	Signal fmt.Stringer
}

func (k *Killed) Error() string { return k.Path + ": killed by signal: " + k.Signal.String() }
