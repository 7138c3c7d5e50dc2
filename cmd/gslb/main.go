// Command gslb is the DNS node and the operator's tool.
package main

import (
	"os"

	"gslb/lab/uml"
)

func main() {
	uml.Init() // when this process is the init of a lab's kernel it does not return
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
