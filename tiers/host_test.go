package tiers

import (
	"reflect"
	"testing"
)

// A field that Equal forgets would be one that a reload does not change.
func TestHostsThatDifferInAnyPart(t *testing.T) {
	parts := reflect.TypeFor[Host]()
	for i := range parts.NumField() {
		var h Host
		list := reflect.ValueOf(&h).Elem().Field(i)
		list.Set(reflect.MakeSlice(list.Type(), 1, 1))
		if h.Equal(Host{}) || !h.Equal(h) {
			t.Errorf("%s: Equal does not look at it", parts.Field(i).Name)
		}
	}
}
