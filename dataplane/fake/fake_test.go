package fake

import (
	"testing"

	"gslb/dataplane"
	"gslb/dataplane/dataplanetest"
)

func TestPlane(t *testing.T) {
	dataplanetest.Run(t, func(*testing.T) dataplane.Plane { return &Plane{} }, nil)
}
