package health

import (
	"time"

	"gslb/topology"
)

// missing is how many results in a row must not have come for a state to be stale.
const missing = 3

// StaleAfter is how long after its last result, or after it was saved, a state
// under check c speaks of now: until the third result in a row is missing, the
// last with all the time that a probe may take. Later it is stale.
func StaleAfter(c *topology.Check) time.Duration { return missing*c.Interval + c.Timeout }
