package uml

import "time"

// job is what the host asks of the guest's init. It lies as JSON in the run's folder, which the guest reads by hostfs: names,
// arguments and environment of any length and with any byte pass, while the kernel's command line carries the folder's name alone.
type job struct {
	Init     string // the executable that is the guest's init
	Path     string
	Args     []string
	Dir      string
	Env      []string
	Writable []string
	Modules  string   // the folder of the kernel's modules
	Load     []string // files in it to load at once, in order
	Overlay  []string // the file of the overlay module, loaded before the others
	Kit      string   // unpacked packages, laid over the root; empty when there are none
	OneLine  bool     // stderr goes where stdout goes, in the order written
	Link     bool
}

// report is what the guest's init answers, in the run's folder, after all output has left the guest.
type report struct {
	Exit   int
	Signal int           // what killed the program, or 0
	Error  string        // why there was no program to speak of
	SetUp  time.Duration // from init's start to the program's
}

// The files of the run's folder.
const (
	jobFile    = "job.json"
	reportFile = "report.json"
	initLink   = "init" // a link to the executable that is the guest's init
	outFolder  = "out"  // the guest writes its report here
	topFolder  = "top"  // an empty folder, the guest's first mount point
	umlFolder  = "uml"  // the kernel's own files
)

// folderVar is how the guest's init learns its folder: the kernel hands parameters it does not know to init as environment.
const folderVar = "GSLB_UML"

// linkVar names, in the carried program's environment, the file descriptor of the link.
const linkVar = "GSLB_LINK"
